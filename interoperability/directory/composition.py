"""Composition of the directory."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from kernel.composition import Composition


def compose(composition: Composition) -> None:
    """The scope of those who manage an agency's keys."""
    composition.machine_scopes["directory.keys"] = _("Register and revoke the agency's signing keys")
