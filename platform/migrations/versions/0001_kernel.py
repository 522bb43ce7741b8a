"""The kernel: audit, signing keys and the job queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

from kernel.database.partitions import partition_by_month

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = """
CREATE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.seal IS NULL AND OLD.position IS NULL
       AND (to_jsonb(NEW) - 'seal' - 'position') = (to_jsonb(OLD) - 'seal' - 'position') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit_event is append-only';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("seal", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", "at", name="pk_audit_event"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_audit_event_unsealed", "audit_event", ["id"], postgresql_where=sa.text("seal IS NULL"))
    op.create_index("ix_audit_event_seal_position", "audit_event", ["seal", "position"])
    op.create_index("ix_audit_event_agency_id", "audit_event", ["agency", "id"])
    op.create_index("ix_audit_event_subject_id", "audit_event", ["subject", "id"])
    op.create_index("ix_audit_event_actor_id", "audit_event", ["actor", "id"])
    for statement in partition_by_month("audit_event"):
        op.execute(statement)
    op.execute(APPEND_ONLY)
    op.execute(
        "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_append_only()"
    )
    op.create_table(
        "audit_seal",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_seal"),
    )
    op.create_table(
        "signing_key",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_jwk", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signs_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_signing_key"),
        sa.UniqueConstraint("kid", name="uq_signing_key_kid"),
    )
    op.create_index("ix_signing_key_purpose_algorithm", "signing_key", ["purpose", "algorithm"])
    op.get_bind().connection.driver_connection.execute(SchemaManager.get_schema())


def downgrade() -> None:
    op.drop_table("signing_key")
    op.drop_table("audit_seal")
    op.drop_table("audit_event")
    op.execute("DROP FUNCTION audit_event_append_only()")
    op.execute(DROP_JOB_QUEUE)


DROP_JOB_QUEUE = """
DO $$
DECLARE one record;
BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'procrastinate\\_%' LOOP
        EXECUTE format('DROP TABLE %I CASCADE', one.tablename);
    END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'procrastinate\\_%' LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', one.name);
    END LOOP;
    FOR one IN SELECT t.typname AS name FROM pg_type t WHERE t.typnamespace = current_schema()::regnamespace AND t.typname LIKE 'procrastinate\\_%' AND t.typtype IN ('e', 'c') LOOP
        EXECUTE format('DROP TYPE IF EXISTS %I CASCADE', one.name);
    END LOOP;
END $$
"""
