"""Composition of agreements."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from catalogue.agreements.queries import requests_to
from catalogue.agreements.rules import TEMPLATES
from kernel.composition import Composition
from kernel.recording.pending import PendingKind


def compose(house: Composition) -> None:
    """Their scope, and requests that wait for an answer."""
    house.notice_templates += TEMPLATES
    house.machine_scopes["catalogue.agreements"] = _("Ask for agreements and read them")
    house.api_texts.subjects.append("agreements")
    house.pending_kinds.append(
        PendingKind(
            "agreement-request",
            _("Request to use a service"),
            _("requests to use your services"),
            "/agency/agreements?side=owner",
            requests_to,
            frozenset({"administrator", "publisher"}),
        )
    )
