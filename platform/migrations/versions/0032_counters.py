"""Counters for all that is counted against a limit; the gateway's of today move there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("slot", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        # Each count changes a row in place: none of its columns that change has an index but the end, which rarely does.
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index("ix_counter_ends_at", "counter", ["ends_at"])
    # Servers of the version before go on counting in gateway_day until they are replaced; it goes with a later version.
    op.execute("""
        INSERT INTO counter (name, key, slot, started_at, ends_at, value)
        SELECT 'catalogue:gateway:calls', agreement, slot, day::timestamp AT TIME ZONE 'America/Santiago',
               (day + 1)::timestamp AT TIME ZONE 'America/Santiago',
               calls / 8 + CASE WHEN slot < calls % 8 THEN 1 ELSE 0 END
        FROM gateway_day, generate_series(0, 7) AS slot
        WHERE day >= (now() AT TIME ZONE 'America/Santiago')::date
    """)


def downgrade() -> None:
    op.drop_table("counter")
