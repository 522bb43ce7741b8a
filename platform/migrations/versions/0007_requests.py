"""Pushed authorization requests and what a request may ask for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
ASKED = (
    ("authorization_code", "resources", "[]"),
    ("authorization_code", "authorization_details", "[]"),
    ("authorization_code", "claims", "{}"),
    ("application_consent", "authorization_details", "[]"),
)


def upgrade() -> None:
    op.create_table(
        "pushed_request",
        sa.Column("uri_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("uri_hash", name="pk_pushed_request"),
    )
    op.create_index("ix_pushed_request_expires_at", "pushed_request", ["expires_at"])
    for table, column, empty in ASKED:
        op.add_column(table, sa.Column(column, postgresql.JSONB(), nullable=False, server_default=empty))
        op.alter_column(table, column, server_default=None)


def downgrade() -> None:
    for table, column, _empty in reversed(ASKED):
        op.drop_column(table, column)
    op.drop_table("pushed_request")
