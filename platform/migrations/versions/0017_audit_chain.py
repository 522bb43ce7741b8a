"""An event of the audit is never written again: the seal names its events, and those without one wait in a table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TRIGGER = (
    "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event "
    "FOR EACH ROW EXECUTE FUNCTION audit_event_append_only()"
)
APPEND_ONLY = """
CREATE OR REPLACE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append-only';
END $$
"""
APPEND_ONLY_BEFORE = """
CREATE OR REPLACE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.seal IS NULL AND OLD.position IS NULL
       AND (to_jsonb(NEW) - 'seal' - 'position') = (to_jsonb(OLD) - 'seal' - 'position') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit_event is append-only';
END $$
"""
WAITS = """
CREATE FUNCTION audit_event_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_waiting (id, at) VALUES (NEW.id, NEW.at);
    RETURN NULL;
END $$
"""
FILL_SEALS = """
UPDATE audit_seal SET members = coalesce(batch.members, '{}'), first_at = coalesce(batch.first_at, one.sealed_at),
    last_at = coalesce(batch.last_at, one.sealed_at)
FROM audit_seal AS one LEFT JOIN (
    SELECT seal, array_agg(id ORDER BY "position") AS members, min(at) AS first_at, max(at) AS last_at
    FROM audit_event GROUP BY seal
) AS batch ON batch.seal = one.number
WHERE audit_seal.number = one.number
"""
FILL_EVENTS = """
UPDATE audit_event SET seal = audit_seal.number, "position" = member."number" - 1
FROM audit_seal, unnest(audit_seal.members) WITH ORDINALITY AS member (id, "number")
WHERE audit_event.id = member.id
"""


def upgrade() -> None:
    op.create_table(
        "audit_waiting",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_waiting"),
    )
    op.execute("INSERT INTO audit_waiting SELECT id, at FROM audit_event WHERE seal IS NULL")
    op.add_column("audit_seal", sa.Column("members", postgresql.ARRAY(sa.UUID()), nullable=True))
    op.add_column("audit_seal", sa.Column("first_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("audit_seal", sa.Column("last_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(FILL_SEALS)
    for column in ("members", "first_at", "last_at"):
        op.alter_column("audit_seal", column, nullable=False)
    op.create_index("ix_audit_seal_first_at", "audit_seal", ["first_at"])
    op.execute(APPEND_ONLY)
    op.drop_index("ix_audit_event_unsealed", "audit_event")
    op.drop_index("ix_audit_event_seal_position", "audit_event")
    op.drop_column("audit_event", "seal")
    op.drop_column("audit_event", "position")
    op.execute(WAITS)
    op.execute(
        "CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_waits()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_event_waits ON audit_event")
    op.execute("DROP FUNCTION audit_event_waits()")
    op.add_column("audit_event", sa.Column("seal", sa.BigInteger(), nullable=True))
    op.add_column("audit_event", sa.Column("position", sa.Integer(), nullable=True))
    op.create_index("ix_audit_event_unsealed", "audit_event", ["id"], postgresql_where=sa.text("seal IS NULL"))
    op.create_index("ix_audit_event_seal_position", "audit_event", ["seal", "position"])
    op.execute(APPEND_ONLY_BEFORE)
    op.execute(FILL_EVENTS)
    op.drop_index("ix_audit_seal_first_at", "audit_seal")
    for column in ("members", "first_at", "last_at"):
        op.drop_column("audit_seal", column)
    op.drop_table("audit_waiting")
