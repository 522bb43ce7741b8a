"""Code rows with room on their page to be used up; one is kept from the start as long as its tokens may live."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE authorization_code SET (fillfactor = 80)")
    # Codes on their way at this moment: 30 days are the longest that what comes of them may live.
    op.execute("UPDATE authorization_code SET kept_until = kept_until + interval '30 days' WHERE redeemed_at IS NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE authorization_code RESET (fillfactor)")
