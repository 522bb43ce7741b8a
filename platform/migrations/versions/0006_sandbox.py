"""Developers of the sandbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "developer",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_developer"),
        sa.UniqueConstraint("email", name="uq_developer_email"),
    )
    op.create_table(
        "developer_link",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("next_path", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_developer_link"),
        sa.UniqueConstraint("token_hash", name="uq_developer_link_token_hash"),
    )
    op.create_index("ix_developer_link_email_created_at", "developer_link", ["email", "created_at"])
    op.create_index("ix_developer_link_address_created_at", "developer_link", ["address", "created_at"])
    op.create_table(
        "developer_session",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("developer_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["developer_id"], ["developer.id"], name="fk_developer_session_developer_id_developer"),
        sa.PrimaryKeyConstraint("id", name="pk_developer_session"),
        sa.UniqueConstraint("token_hash", name="uq_developer_session_token_hash"),
    )
    op.create_index("ix_developer_session_developer_id", "developer_session", ["developer_id"])


def downgrade() -> None:
    op.drop_table("developer_session")
    op.drop_table("developer_link")
    op.drop_table("developer")
