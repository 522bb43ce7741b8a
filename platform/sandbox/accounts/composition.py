"""Composition of developers."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from identity.ports import OPEN_REGISTRATION
from kernel.composition import Composition
from kernel.pages.layout import add_navigation, set_guest
from sandbox.accounts.rules import DEVELOPER
from sandbox.accounts.web import developer_principal


def compose(composition: Composition) -> None:
    """Authenticate developers on the sandbox's pages; let anybody register a client."""
    # First: below /sandbox the developer counts, although the same browser signed in as a test person.
    composition.authenticators.insert(0, developer_principal)
    set_guest(composition.app, DEVELOPER, _("developer in the sandbox"), "sandbox_accounts.sign_out")
    add_navigation(composition.app, _("Sandbox"), "sandbox_accounts.home", order=70)
    OPEN_REGISTRATION.fill(composition.app, True)
