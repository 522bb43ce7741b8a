"""Communications, agencies' keys and the evidence log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATUS = "status IN ('available', 'downloaded', 'acknowledged', 'rejected')"
NOW = sa.DateTime(timezone=True)

APPEND_ONLY = """
CREATE FUNCTION evidence_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'evidence_entry' THEN
        -- The sealer gives a record its place in the tree, once.
        IF to_jsonb(OLD) ->> 'position' IS NULL AND (to_jsonb(NEW) - 'position') = (to_jsonb(OLD) - 'position') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
"""
LOG_TABLES = ("evidence_entry", "evidence_node", "evidence_checkpoint")


def upgrade() -> None:
    create_evidence()
    create_directory()
    create_communications()


def create_evidence() -> None:
    op.create_table(
        "evidence_entry",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", NOW, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_evidence_entry"),
        sa.UniqueConstraint("id", name="uq_evidence_entry_id"),
        sa.UniqueConstraint("position", name="uq_evidence_entry_position"),
    )
    op.create_index(
        "ix_evidence_entry_unsealed", "evidence_entry", ["number"], postgresql_where=sa.text("position IS NULL")
    )
    op.create_index("ix_evidence_entry_subject", "evidence_entry", ["subject"])
    op.create_table(
        "evidence_node",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_evidence_node"),
    )
    op.create_table(
        "evidence_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", NOW, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_evidence_checkpoint"),
    )
    op.execute(APPEND_ONLY)
    for table in LOG_TABLES:
        op.execute(
            f"CREATE TRIGGER evidence_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION evidence_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER evidence_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION evidence_append_only()"
        )


def create_directory() -> None:
    op.create_table(
        "agency_key",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=False),
        sa.Column("jwk", postgresql.JSONB(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("registered_at", NOW, nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", NOW, nullable=True),
        sa.Column("revocation_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("held_by IN ('agency', 'platform')", name=op.f("ck_agency_key_held_by")),
        sa.PrimaryKeyConstraint("id", name="pk_agency_key"),
        sa.UniqueConstraint("thumbprint", name="uq_agency_key_thumbprint"),
    )
    op.create_index("ix_agency_key_agency", "agency_key", ["agency"])


def create_communications() -> None:
    op.execute("CREATE SEQUENCE communication_number")
    create_communication()
    op.create_table(
        "addressee",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("communication_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("agency_name", sa.Text(), nullable=False),
        sa.Column("is_copy", sa.Boolean(), nullable=False),
        sa.Column("persons", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(STATUS, name=op.f("ck_addressee_status")),
        sa.ForeignKeyConstraint(
            ["communication_id"], ["communication.id"], name="fk_addressee_communication_id_communication"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_addressee"),
        sa.UniqueConstraint("communication_id", "agency", name="uq_addressee_communication_id_agency"),
    )
    op.create_index("ix_addressee_agency_communication_id", "addressee", ["agency", "communication_id"])
    create_document()
    create_step()


def create_communication() -> None:
    op.create_table(
        "communication",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sender_name", sa.Text(), nullable=False),
        sa.Column("authority_name", sa.Text(), nullable=False),
        sa.Column("authority_post", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("classification", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("manifest_digest", sa.Text(), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sent_at", NOW, nullable=False),
        sa.CheckConstraint(STATUS, name=op.f("ck_communication_status")),
        sa.PrimaryKeyConstraint("id", name="pk_communication"),
        sa.UniqueConstraint("code", name="uq_communication_code"),
        sa.UniqueConstraint("sender", "idempotency_key", name="uq_communication_sender_idempotency_key"),
        sa.UniqueConstraint("sender", "manifest_digest", name="uq_communication_sender_manifest_digest"),
    )
    op.create_index("ix_communication_sender_id", "communication", ["sender", "id"])


def create_document() -> None:
    op.create_table(
        "document",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("communication_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["communication_id"], ["communication.id"], name="fk_document_communication_id_communication"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_document"),
        sa.UniqueConstraint("communication_id", "number", name="uq_document_communication_id_number"),
        sa.UniqueConstraint("key", name="uq_document_key"),
    )


def create_step() -> None:
    op.create_table(
        "communication_step",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("communication_id", sa.UUID(), nullable=False),
        sa.Column("evidence", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("at", NOW, nullable=False),
        sa.Column("addressee", sa.Text(), nullable=True),
        sa.Column("document", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["communication_id"], ["communication.id"], name="fk_communication_step_communication_id_communication"
        ),
        sa.ForeignKeyConstraint(
            ["evidence"], ["evidence_entry.number"], name="fk_communication_step_evidence_evidence_entry"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_communication_step"),
        sa.UniqueConstraint("evidence", name="uq_communication_step_evidence"),
        sa.UniqueConstraint(
            "communication_id",
            "addressee",
            "step",
            "document",
            name="uq_communication_step_communication_id_addressee_step_document",
            postgresql_nulls_not_distinct=True,
        ),
    )


def downgrade() -> None:
    for table in ("communication_step", "document", "addressee", "communication", "agency_key", *reversed(LOG_TABLES)):
        op.drop_table(table)
    op.execute("DROP SEQUENCE communication_number")
    op.execute("DROP FUNCTION evidence_append_only()")
