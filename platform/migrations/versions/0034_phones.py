"""Telephones of people, and the codes that confirm them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("person", sa.Column("phone", sa.Text(), nullable=True))
    op.create_table(
        "phone_code",
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name="pk_phone_code"),
    )
    op.create_index("ix_phone_code_phone", "phone_code", ["phone"])
    op.create_index("ix_phone_code_sent_at", "phone_code", ["sent_at"])


def downgrade() -> None:
    op.drop_table("phone_code")
    op.drop_column("person", "phone")
