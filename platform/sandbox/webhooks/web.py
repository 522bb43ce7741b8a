"""Pages of a developer: the events that their applications subscribe to, and what was sent to them."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _

from identity.webhooks.web import Place, SubscriptionPages
from kernel.base.parties import Party
from kernel.jobs.access import current_principal
from sandbox.accounts.web import developer

DEVELOPER = Place(
    name="sandbox_webhooks",
    prefix="/sandbox/webhooks",
    rule=developer,
    owner=lambda: Party.developer(current_principal().id),
    own=None,
    home=lambda: (_("Your applications"), url_for("sandbox_applications.list_applications")),
)
pages = SubscriptionPages(DEVELOPER, __name__).pages
