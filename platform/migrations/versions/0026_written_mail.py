"""The mails that jobs have written, so that one that runs again writes none twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "written_mail",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "digest", name="pk_written_mail"),
    )
    op.create_index("ix_written_mail_at", "written_mail", ["at"])


def downgrade() -> None:
    op.drop_table("written_mail")
