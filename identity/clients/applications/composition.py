"""Composition of applications."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """The scope of systems that register applications."""
    composition.machine_scopes["applications.manage"] = _("Register and change the applications that people sign in to")
