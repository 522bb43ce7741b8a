"""Deliveries to others' servers, and each attempt of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from kernel.database.partitions import partition_by_month

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("arguments", postgresql.JSONB(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_before", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=True),
        sa.Column("ticket", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.BigInteger(), nullable=True),
        sa.Column("claimed_until", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", "at", name="pk_delivery"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_delivery_owner_id", "delivery", ["owner", "id"])
    op.create_index("ix_delivery_subscription_id_id", "delivery", ["subscription_id", "id"])
    op.create_index(
        "ix_delivery_next_attempt_at", "delivery", ["next_attempt_at"], postgresql_where=sa.text("status = 'pending'")
    )
    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", "at", name="pk_delivery_attempt"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_delivery_attempt_delivery_id_id", "delivery_attempt", ["delivery_id", "id"])
    for table in ("delivery", "delivery_attempt"):
        for statement in partition_by_month(table):
            op.execute(statement)


def downgrade() -> None:
    op.drop_table("delivery_attempt")
    op.drop_table("delivery")
