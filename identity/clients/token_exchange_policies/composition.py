"""Composition of policies of token exchange."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.clients.token_exchange_policies.queries import requests_to
from identity.clients.token_exchange_policies.rules import TEMPLATES
from identity.officials.rules import ADMINISTRATOR
from kernel.composition import Composition
from kernel.recording.pending import PendingKind


def compose(composition: Composition) -> None:
    """Requests that an agency has to answer."""
    composition.notice_templates += TEMPLATES
    composition.pending_kinds.append(
        PendingKind(
            "token-exchange-request",
            _("Request to call a client"),
            _("requests to call your clients"),
            "/agency/exchanges",
            requests_to,
            frozenset({ADMINISTRATOR}),
        )
    )
