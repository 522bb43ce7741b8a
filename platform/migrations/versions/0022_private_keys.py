"""Private keys are in the database, sealed under the master key, unless an operator chooses files or an HSM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "private_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_private_key"),
        sa.ForeignKeyConstraint(
            ["kid"],
            ["signing_key.kid"],
            name="fk_private_key_kid_signing_key",
            deferrable=True,
            initially="DEFERRED",
        ),
    )


def downgrade() -> None:
    op.drop_table("private_key")
