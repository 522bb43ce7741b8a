"""Changes that wait for approval, applications handed over to agencies, logos, and what was seen of published keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
SEEN_KEYS = ("keys_end_at", "keys_failing_since")


def upgrade() -> None:
    rename("environment_request", "approval_request")
    op.add_column("approval_request", sa.Column("changes", postgresql.JSONB(), nullable=True))
    allow_states("waiting", "approved", "returned", "withdrawn")
    for name in SEEN_KEYS:
        op.add_column("client", sa.Column(name, INSTANT, nullable=True))
    op.add_column("client", sa.Column("logo", sa.Text(), nullable=True))
    create_adoption_requests()
    create_logos()


def rename(before: str, after: str) -> None:
    op.rename_table(before, after)
    for name in ("ix_{}_client_id_asked_at", "uq_{}_waiting"):
        op.execute(f"ALTER INDEX {name.format(before)} RENAME TO {name.format(after)}")
    for name in ("pk_{}", "fk_{}_client_id_client", "ck_{}_environment", "ck_{}_state"):
        op.execute(f"ALTER TABLE {after} RENAME CONSTRAINT {name.format(before)} TO {name.format(after)}")


def allow_states(*states: str) -> None:
    op.drop_constraint("state", "approval_request", type_="check")
    op.create_check_constraint("state", "approval_request", f"state IN {states}")


def create_adoption_requests() -> None:
    op.create_table(
        "adoption_request",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("agency_code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("developer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_adoption_request"),
        sa.ForeignKeyConstraint(["client_id"], ["client.client_id"], name="fk_adoption_request_client_id_client"),
        sa.ForeignKeyConstraint(["agency_code"], ["agency.code"], name="fk_adoption_request_agency_code_agency"),
        sa.CheckConstraint("state IN ('waiting', 'accepted', 'declined', 'withdrawn')", name="state"),
    )
    op.create_index(
        "uq_adoption_request_waiting",
        "adoption_request",
        ["client_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    for column in ("client_id", "agency_code"):
        op.create_index(f"ix_adoption_request_{column}_asked_at", "adoption_request", [column, "asked_at"])


def create_logos() -> None:
    op.create_table(
        "logo",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_logo"),
    )
    op.create_foreign_key("fk_client_logo_logo", "client", "logo", ["logo"], ["sha256"])


def downgrade() -> None:
    op.drop_table("adoption_request")
    for name in (*SEEN_KEYS, "logo"):
        op.drop_column("client", name)
    op.drop_table("logo")
    # A change of what is in use has no place in the table before this one.
    op.execute("DELETE FROM approval_request WHERE changes IS NOT NULL OR state = 'withdrawn'")
    op.drop_column("approval_request", "changes")
    allow_states("waiting", "approved", "returned")
    rename("approval_request", "environment_request")
