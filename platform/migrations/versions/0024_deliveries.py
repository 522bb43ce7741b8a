"""Partial deliveries of documents, and who exactly took a step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "partial_delivery",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("addressee_id", sa.Uuid(), nullable=False),
        sa.Column("parts", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["document.id"], name="fk_partial_delivery_document_id_document"),
        sa.ForeignKeyConstraint(["addressee_id"], ["addressee.id"], name="fk_partial_delivery_addressee_id_addressee"),
        sa.PrimaryKeyConstraint("document_id", "addressee_id", name="pk_partial_delivery"),
    )
    op.add_column("communication_step", sa.Column("principal", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("communication_step", "principal")
    op.drop_table("partial_delivery")
