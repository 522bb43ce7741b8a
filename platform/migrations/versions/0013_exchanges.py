"""Policies of token exchange, asked for and decided; and vacuum in small pieces where rows soon end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
PAIR = ["actor_client_id", "target_client_id"]
DECIDED = ("purpose", "status", "reasons", "asked_by")
SHORT_LIVED = (
    "pushed_request",
    "authorization_code",
    "access_token",
    "refresh_token",
    "revoked_token",
    "device_authorization",
    "used_proof",
    "sign_in_session",
    "sign_in_throttle",
)
"""docs/adr/0006: not partitioned, swept."""


def upgrade() -> None:
    for column in DECIDED:
        op.add_column("exchange_policy", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.add_column("exchange_policy", sa.Column("decided_by", sa.Text(), nullable=True))
    op.add_column("exchange_policy", sa.Column("decided_at", INSTANT, nullable=True))
    op.alter_column("exchange_policy", "revoked_at", new_column_name="ended_at")
    op.execute(
        "UPDATE exchange_policy SET status = CASE WHEN ended_at IS NULL THEN 'allowed' ELSE 'ended' END, decided_at = created_at"
    )
    for column in DECIDED:
        op.alter_column("exchange_policy", column, server_default=None)
    op.create_check_constraint(
        op.f("ck_exchange_policy_status"), "exchange_policy", "status IN ('asked', 'allowed', 'refused', 'ended')"
    )
    op.drop_index("uq_exchange_policy_living", "exchange_policy")
    for status in ("asked", "allowed"):
        where = sa.text(f"status = '{status}'")
        op.create_index(f"uq_exchange_policy_{status}", "exchange_policy", PAIR, unique=True, postgresql_where=where)
    op.create_index("ix_exchange_policy_target_client_id", "exchange_policy", ["target_client_id"])
    for table in SHORT_LIVED:
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02)")


def downgrade() -> None:
    for table in SHORT_LIVED:
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor)")
    op.execute("DELETE FROM exchange_policy WHERE status IN ('asked', 'refused')")
    op.drop_index("ix_exchange_policy_target_client_id", "exchange_policy")
    for status in ("asked", "allowed"):
        op.drop_index(f"uq_exchange_policy_{status}", "exchange_policy")
    op.drop_constraint(op.f("ck_exchange_policy_status"), "exchange_policy")
    op.alter_column("exchange_policy", "ended_at", new_column_name="revoked_at")
    op.create_index(
        "uq_exchange_policy_living",
        "exchange_policy",
        PAIR,
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    for column in ("decided_at", "decided_by", *DECIDED):
        op.drop_column("exchange_policy", column)
