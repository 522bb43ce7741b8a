"""Offers of applications to agencies that end when nobody answers."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

STATES = ("waiting", "accepted", "declined", "withdrawn")


def upgrade() -> None:
    allow(*STATES, "expired")


def downgrade() -> None:
    op.execute("UPDATE adoption_request SET state = 'declined' WHERE state = 'expired'")
    allow(*STATES)


def allow(*states: str) -> None:
    op.drop_constraint("state", "adoption_request", type_="check")
    op.create_check_constraint("state", "adoption_request", f"state IN {states}")
