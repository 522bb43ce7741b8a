"""Values before a change beside those after it, for what waits for approval, so that it undoes nothing that changes
meanwhile.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Nothing was kept of what a field was when it was asked: what it is now comes nearest to it.
TELL_BEFORE = """
UPDATE approval_request SET changes = (
    SELECT jsonb_object_agg(key, jsonb_build_object('after', value, 'before',
        CASE key
            WHEN 'sector' THEN to_jsonb(CASE
                WHEN client.sector = 'public' THEN 'public'
                WHEN starts_with(client.sector, 'client:') THEN 'application'
                ELSE 'owner'
            END)
            WHEN 'logo' THEN to_jsonb(coalesce(client.logo, ''))
            ELSE to_jsonb(client) -> key
        END
    ))
    FROM jsonb_each(changes)
)
FROM client WHERE client.client_id = approval_request.client_id AND changes IS NOT NULL
"""
TELL_AFTER_ALONE = """
UPDATE approval_request
SET changes = (SELECT jsonb_object_agg(key, value -> 'after') FROM jsonb_each(changes))
WHERE changes IS NOT NULL
"""


def upgrade() -> None:
    op.execute(TELL_BEFORE)


def downgrade() -> None:
    op.execute(TELL_AFTER_ALONE)
