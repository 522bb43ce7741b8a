"""Composition of acting for an agency."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from kernel.composition import Composition
from kernel.jobs.access import official
from kernel.pages.layout import add_navigation, set_place


def compose(composition: Composition) -> None:
    """The agency's home, and where an agency is chosen."""
    set_place(composition.app, "choose_agency", "acting.home")
    add_navigation(composition.app, _("My agency"), "acting.home", official.allows, order=20)
