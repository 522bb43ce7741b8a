"""Composition of metering."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """The scope of those who read it."""
    composition.machine_scopes["catalogue.usage"] = _("Read how much the agreements are used")
