"""The database tells who listens when a client or an agency changes, so that what is remembered of it is forgotten."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

NOTIFIED = {"client": "client_id", "agency": "code"}
TELL = """
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('cordillera_changes', TG_TABLE_NAME || ':' || (to_jsonb(OLD) ->> TG_ARGV[0]));
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(TELL)
    for table, key in NOTIFIED.items():
        op.execute(
            f"CREATE TRIGGER {table}_tell_change AFTER UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION tell_change('{key}')"
        )


def downgrade() -> None:
    for table in NOTIFIED:
        op.execute(f"DROP TRIGGER {table}_tell_change ON {table}")
    op.execute("DROP FUNCTION tell_change()")
