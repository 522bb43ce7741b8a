"""The database tells of new clients without a secret, too: what is remembered of where their pages come from is old."""

from __future__ import annotations

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TELL = """
CREATE OR REPLACE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told jsonb := {told};
BEGIN
    PERFORM pg_notify('cordillera_changes', TG_TABLE_NAME || ':' || (told ->> TG_ARGV[0]));
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(TELL.format(told="CASE TG_OP WHEN 'INSERT' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END"))
    op.execute(
        "CREATE TRIGGER client_tell_new AFTER INSERT ON client "
        "FOR EACH ROW WHEN (NEW.auth_method = 'none') EXECUTE FUNCTION tell_change('client_id')"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER client_tell_new ON client")
    op.execute(TELL.format(told="to_jsonb(OLD)"))
