"""Forms that had their effect, so that none has it twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form_submission",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "form_id", name="pk_form_submission"),
    )
    op.create_index("ix_form_submission_at", "form_submission", ["at"])


def downgrade() -> None:
    op.drop_table("form_submission")
