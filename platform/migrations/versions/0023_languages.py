"""The language in which people are written to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SPANISH = "es"


def upgrade() -> None:
    for table, column in (("person", "language"), ("adoption_request", "developer_language")):
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=SPANISH))
        op.alter_column(table, column, server_default=None)
    op.add_column("person", sa.Column("language_is_chosen", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("person", "language_is_chosen", server_default=None)


def downgrade() -> None:
    op.drop_column("adoption_request", "developer_language")
    op.drop_column("person", "language_is_chosen")
    op.drop_column("person", "language")
