"""Interface documents as they came, where they were converted, and what is to be warned of in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COLUMNS = (
    ("openapi_standard", sa.Text(), "''"),
    ("openapi_original", sa.Text(), "''"),
    ("openapi_original_type", sa.Text(), "''"),
    ("operation_count", sa.Integer(), "0"),
    ("openapi_warnings", postgresql.JSONB(), "'[]'"),
)


def upgrade() -> None:
    for name, kind, before in COLUMNS:
        op.add_column("service_version", sa.Column(name, kind, nullable=False, server_default=sa.text(before)))
        op.alter_column("service_version", name, server_default=None)
    op.execute("UPDATE service_version SET operation_count = jsonb_array_length(operations)")


def downgrade() -> None:
    for name, _kind, _before in COLUMNS:
        op.drop_column("service_version", name)
