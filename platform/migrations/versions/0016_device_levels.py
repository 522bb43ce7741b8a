"""A device may say how surely, and how recently, the person who lets it in has to have signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device_authorization", sa.Column("acr_values", JSONB, nullable=False, server_default="[]"))
    op.alter_column("device_authorization", "acr_values", server_default=None)
    op.add_column("device_authorization", sa.Column("max_age", sa.Integer))


def downgrade() -> None:
    op.drop_column("device_authorization", "max_age")
    op.drop_column("device_authorization", "acr_values")
