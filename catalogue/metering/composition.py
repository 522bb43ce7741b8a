"""Composition of metering."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from kernel.composition import Composition


def compose(house: Composition) -> None:
    """The scope of those who read it."""
    house.machine_scopes["catalogue.usage"] = _("Read how much the agreements are used")
