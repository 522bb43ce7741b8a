"""Persons, sessions, agencies and their officials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("run_number", sa.Integer(), nullable=False),
        sa.Column("run_dv", sa.Text(), nullable=False),
        sa.Column("given_names", postgresql.JSONB(), nullable=False),
        sa.Column("family_names", postgresql.JSONB(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_test_person", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("password_changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("run_number", name="uq_person_run_number"),
        sa.CheckConstraint("run_number BETWEEN 1 AND 99999999", name="run_number"),
    )
    op.create_table(
        "agency",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_authority", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agency"),
        sa.UniqueConstraint("code", name="uq_agency_code"),
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("agency_code", sa.Text(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_membership"),
        sa.ForeignKeyConstraint(["agency_code"], ["agency.code"], name="fk_membership_agency_code_agency"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_membership_person_id_person"),
        sa.UniqueConstraint("agency_code", "person_id", "role", name="uq_membership_agency_code_person_id_role"),
        sa.CheckConstraint("role IN ('administrator', 'publisher', 'correspondent')", name="role"),
    )
    op.create_index("ix_membership_person_id", "membership", ["person_id"])
    op.create_table(
        "sign_in_session",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=False),
        sa.Column("agency_code", sa.Text(), nullable=True),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("amr", postgresql.JSONB(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("authenticated_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_session"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_sign_in_session_person_id_person"),
        sa.ForeignKeyConstraint(["agency_code"], ["agency.code"], name="fk_sign_in_session_agency_code_agency"),
        sa.UniqueConstraint("token_hash", name="uq_sign_in_session_token_hash"),
        sa.UniqueConstraint("sid", name="uq_sign_in_session_sid"),
    )
    op.create_index("ix_sign_in_session_person_id", "sign_in_session", ["person_id"])
    op.create_index("ix_sign_in_session_expires_at", "sign_in_session", ["expires_at"])
    op.create_table(
        "sign_in_throttle",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", sa.Float(), nullable=False),
        sa.Column("counted_at", INSTANT, nullable=False),
        sa.Column("allowed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_throttle"),
    )
    op.create_index("ix_sign_in_throttle_counted_at", "sign_in_throttle", ["counted_at"])


def downgrade() -> None:
    for table in ("sign_in_throttle", "sign_in_session", "membership", "agency", "person"):
        op.drop_table(table)
