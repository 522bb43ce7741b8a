"""Agencies as a tree with its history, and functions that officials hold for a term in place of memberships.

`membership` stays as a view of the three functions that there were, for nodes of the version before while they serve.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
TODAY = sa.text("((now() AT TIME ZONE 'America/Santiago')::date)")
NO = sa.text("false")
OLD_ROLES = "('administrator', 'publisher', 'correspondent')"
# Of what is written through the view, the database says the rest.
MEMBERSHIP = f"""
CREATE VIEW membership AS SELECT id, agency_code, person_id, function AS role, created_at FROM appointment
WHERE function IN {OLD_ROLES} AND ended_at IS NULL AND starts_on <= (now() AT TIME ZONE 'America/Santiago')::date
    AND (ends_on IS NULL OR ends_on >= (now() AT TIME ZONE 'America/Santiago')::date)
"""  # noqa: S608 - our own words
# Each agency begins its history as it is, on the day on which it was registered.
BEGIN_HISTORY = """
INSERT INTO agency_change (id, agency_code, counts_from, fields, norm, changed_at, changed_by, changed_by_name)
SELECT gen_random_uuid(), code, valid_from, jsonb_build_object('name', name, 'kind', kind, 'parent', NULL), '',
    created_at, '', '' FROM agency
"""


def upgrade() -> None:
    _upgrade_agency()
    op.create_table(
        "agency_change",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("agency_code", sa.Text(), nullable=False),
        sa.Column("counts_from", sa.Date(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("norm", sa.Text(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_by_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agency_change"),
        sa.ForeignKeyConstraint(["agency_code"], ["agency.code"], name="fk_agency_change_agency_code_agency"),
    )
    op.create_index("ix_agency_change_agency_code_counts_from", "agency_change", ["agency_code", "counts_from"])
    op.create_index("ix_agency_change_counts_from", "agency_change", ["counts_from"])
    op.execute(BEGIN_HISTORY)
    _upgrade_membership()


def _upgrade_agency() -> None:
    op.add_column("agency", sa.Column("kind", sa.Text(), server_default="service", nullable=False))
    op.add_column("agency", sa.Column("parent_code", sa.Text(), nullable=True))
    op.add_column("agency", sa.Column("valid_from", sa.Date(), server_default=TODAY, nullable=False))
    op.add_column("agency", sa.Column("valid_until", sa.Date(), nullable=True))
    op.add_column("agency", sa.Column("successor_code", sa.Text(), nullable=True))
    op.execute("UPDATE agency SET valid_from = (created_at AT TIME ZONE 'America/Santiago')::date")
    for column in ("parent_code", "successor_code"):
        name = f"fk_agency_{column}_agency"
        op.create_foreign_key(name, "agency", "agency", [column], ["code"], deferrable=True, initially="DEFERRED")
    op.create_index("ix_agency_parent_code", "agency", ["parent_code"])
    op.create_check_constraint(op.f("ck_agency_own_place"), "agency", "parent_code <> code AND successor_code <> code")
    op.create_check_constraint(op.f("ck_agency_validity"), "agency", "valid_until >= valid_from")


def _upgrade_membership() -> None:
    op.rename_table("membership", "appointment")
    op.execute("ALTER TABLE appointment RENAME CONSTRAINT pk_membership TO pk_appointment")
    for column, table in (("agency_code", "agency"), ("person_id", "person")):
        before, after = f"fk_membership_{column}_{table}", f"fk_appointment_{column}_{table}"
        op.execute(f"ALTER TABLE appointment RENAME CONSTRAINT {before} TO {after}")
    op.execute("ALTER INDEX ix_membership_person_id RENAME TO ix_appointment_person_id")
    op.drop_constraint("uq_membership_agency_code_person_id_role", "appointment")
    op.drop_constraint(op.f("ck_membership_role"), "appointment")
    op.alter_column("appointment", "role", new_column_name="function")
    op.add_column("appointment", sa.Column("is_deputy", sa.Boolean(), server_default=NO, nullable=False))
    op.add_column("appointment", sa.Column("starts_on", sa.Date(), server_default=TODAY, nullable=False))
    op.add_column("appointment", sa.Column("ends_on", sa.Date(), nullable=True))
    op.add_column("appointment", sa.Column("norm", sa.Text(), server_default="", nullable=False))
    op.add_column("appointment", sa.Column("created_by_name", sa.Text(), server_default="", nullable=False))
    op.add_column("appointment", sa.Column("ended_at", INSTANT, nullable=True))
    op.add_column("appointment", sa.Column("ended_by_name", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE appointment SET starts_on = (created_at AT TIME ZONE 'America/Santiago')::date")
    op.create_check_constraint(op.f("ck_appointment_term"), "appointment", "ends_on >= starts_on")
    op.create_index("ix_appointment_agency_code_person_id", "appointment", ["agency_code", "person_id"])
    op.execute(MEMBERSHIP)


def downgrade() -> None:
    # The version before knows no terms, and no deputies beside the holder: of each person's roles those in effect stay.
    op.execute(
        "CREATE TEMPORARY TABLE in_effect ON COMMIT DROP AS SELECT min(id::text)::uuid AS id FROM membership "
        "GROUP BY agency_code, person_id, role"
    )
    op.execute("DROP VIEW membership")
    op.execute("DELETE FROM appointment WHERE id NOT IN (SELECT id FROM in_effect)")
    op.drop_index("ix_appointment_agency_code_person_id", "appointment")
    op.drop_constraint(op.f("ck_appointment_term"), "appointment")
    for column in ("ended_by_name", "ended_at", "created_by_name", "norm", "ends_on", "starts_on", "is_deputy"):
        op.drop_column("appointment", column)
    op.alter_column("appointment", "function", new_column_name="role")
    op.rename_table("appointment", "membership")
    op.execute("ALTER TABLE membership RENAME CONSTRAINT pk_appointment TO pk_membership")
    for column, table in (("agency_code", "agency"), ("person_id", "person")):
        before, after = f"fk_appointment_{column}_{table}", f"fk_membership_{column}_{table}"
        op.execute(f"ALTER TABLE membership RENAME CONSTRAINT {before} TO {after}")
    op.execute("ALTER INDEX ix_appointment_person_id RENAME TO ix_membership_person_id")
    op.create_unique_constraint(
        "uq_membership_agency_code_person_id_role", "membership", ["agency_code", "person_id", "role"]
    )
    op.create_check_constraint(op.f("ck_membership_role"), "membership", f"role IN {OLD_ROLES}")
    op.drop_table("agency_change")
    for constraint in ("ck_agency_validity", "ck_agency_own_place"):
        op.drop_constraint(op.f(constraint), "agency")
    op.drop_index("ix_agency_parent_code", "agency")
    for column in ("successor_code", "valid_until", "valid_from", "parent_code", "kind"):
        op.drop_column("agency", column)
