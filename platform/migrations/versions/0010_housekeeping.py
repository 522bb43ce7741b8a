"""Indexes for the sweep of ended tokens."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SWEPT = ("access_token", "refresh_token")


def upgrade() -> None:
    for table in SWEPT:
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])


def downgrade() -> None:
    for table in SWEPT:
        op.drop_index(f"ix_{table}_expires_at", table)
