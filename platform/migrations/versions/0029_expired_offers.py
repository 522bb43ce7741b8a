"""Terms of reviews of applications, and of offers of them, which end when nobody answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

STATES = ("waiting", "accepted", "declined", "withdrawn")


def upgrade() -> None:
    allow(*STATES, "expired")
    op.add_column("approval_request", sa.Column("decide_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column("adoption_request", sa.Column("answer_by", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("adoption_request", "answer_by")
    op.drop_column("approval_request", "decide_by")
    op.execute("UPDATE adoption_request SET state = 'declined' WHERE state = 'expired'")
    allow(*STATES)


def allow(*states: str) -> None:
    op.drop_constraint("state", "adoption_request", type_="check")
    op.create_check_constraint("state", "adoption_request", f"state IN {states}")
