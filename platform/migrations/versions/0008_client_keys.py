"""Clients' keys, registration and proofs of possession."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
BOUND = ("authorization_code", "access_token", "refresh_token")


def upgrade() -> None:
    for table in BOUND:
        op.add_column(table, sa.Column("dpop_jkt", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("cert_thumbprint", sa.Text(), nullable=True))
    extend_clients()
    create_used_proofs()
    create_initial_access_tokens()
    create_environment_requests()


def extend_clients() -> None:
    for name in ("options", "scope_reasons"):
        op.add_column("client", sa.Column(name, postgresql.JSONB(), nullable=False, server_default="{}"))
    op.add_column("client", sa.Column("contacts", postgresql.JSONB(), nullable=False, server_default="[]"))
    for name in ("options", "scope_reasons", "contacts"):
        op.alter_column("client", name, server_default=None)
    for column in (
        sa.Column("jwks", postgresql.JSONB(), nullable=True),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("logo_uri", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", INSTANT, nullable=True),
        sa.Column("registration_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("warned_of", INSTANT, nullable=True),
    ):
        op.add_column("client", column)
    op.drop_constraint("environment", "client", type_="check")
    op.create_check_constraint("environment", "client", "environment IN ('sandbox', 'certification', 'production')")


def create_used_proofs() -> None:
    op.create_table(
        "used_proof",
        sa.Column("proof_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("proof_hash", name="pk_used_proof"),
        # Losing it in a crash is harmless: the server does not answer for longer than these proofs live.
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_used_proof_expires_at", "used_proof", ["expires_at"])


def create_initial_access_tokens() -> None:
    op.create_table(
        "initial_access_token",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("is_approval", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_initial_access_token"),
        sa.UniqueConstraint("token_hash", name="uq_initial_access_token_token_hash"),
        sa.CheckConstraint("environment IN ('sandbox', 'certification', 'production')", name="environment"),
    )
    op.create_index("ix_initial_access_token_owner_created_at", "initial_access_token", ["owner", "created_at"])


def create_environment_requests() -> None:
    op.create_table(
        "environment_request",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_environment_request"),
        sa.ForeignKeyConstraint(["client_id"], ["client.client_id"], name="fk_environment_request_client_id_client"),
        sa.CheckConstraint("environment IN ('certification', 'production')", name="environment"),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'returned')", name="state"),
    )
    op.create_index(
        "uq_environment_request_waiting",
        "environment_request",
        ["client_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_environment_request_client_id_asked_at", "environment_request", ["client_id", "asked_at"])


def downgrade() -> None:
    for table in ("environment_request", "initial_access_token", "used_proof"):
        op.drop_table(table)
    op.drop_constraint("environment", "client", type_="check")
    op.execute("UPDATE client SET environment = 'sandbox' WHERE environment = 'certification'")
    op.create_check_constraint("environment", "client", "environment IN ('sandbox', 'production')")
    for name in (
        "warned_of",
        "registration_token_hash",
        "approved_at",
        "approved_by",
        "logo_uri",
        "jwks_uri",
        "jwks",
        "contacts",
        "scope_reasons",
        "options",
    ):
        op.drop_column("client", name)
    for table in BOUND:
        op.drop_column(table, "cert_thumbprint")
        op.drop_column(table, "dpop_jkt")
