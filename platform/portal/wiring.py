"""Where the blocks meet: what each one needs of another is handed over here, and nowhere else.

A block is imported only where it is deployed (`CORDILLERA_BLOCKS`), which is why the imports stand inside the
functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import flask
from flask import Flask

from kernel import audit
from kernel.access import Authenticator, install_access
from kernel.api import Blueprint as ApiBlueprint
from kernel.api import install_api
from kernel.layout import set_place
from kernel.sealing import SealBatch, install_sealing
from kernel.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass
class House:
    """What the blocks bring into the application."""

    app: Flask
    authenticators: list[Authenticator] = field(default_factory=list)
    pages: list[flask.Blueprint] = field(default_factory=list)
    endpoints: list[ApiBlueprint] = field(default_factory=list)
    seals: list[SealBatch] = field(default_factory=lambda: [audit.seal_batch])
    machine_scopes: dict[str, Any] = field(default_factory=dict)


def install_blocks(app: Flask, settings: Settings) -> None:
    """Bring in the blocks that are deployed and let them meet."""
    house = House(app)
    for name in settings.blocks:
        INSTALL[name](house)
    install_portal(house)
    app.extensions["cordillera.machine_scopes"] = house.machine_scopes
    install_access(app, house.authenticators)
    install_sealing(app, house.seals)
    for blueprint in house.pages:
        app.register_blueprint(blueprint)
    install_api(app, house.endpoints)


def install_identity(house: House) -> None:
    """Persons, sign-in, agencies, clients and the OpenID provider."""
    _furnish(house, "identity")
    from identity.signin.queries import session_principal

    house.authenticators.append(session_principal)
    openid = import_module("identity.openid.queries")
    if hasattr(openid, "bearer_principal"):
        house.authenticators.append(openid.bearer_principal)


def install_catalogue(house: House) -> None:
    """Services, agreements, the gateway and its count."""
    _furnish(house, "catalogue")


def install_interoperability(house: House) -> None:
    """Communications between agencies and their evidence."""
    _furnish(house, "interoperability")
    if _exists("interoperability/evidence/actions.py"):
        from interoperability.evidence import actions

        house.seals.append(actions.seal_batch)


def install_sandbox(house: House) -> None:
    """Developers and their applications."""
    _furnish(house, "platform/sandbox")
    from sandbox.accounts.web import developer_principal

    # First: below /sandbox the developer counts, although the same browser has signed in as a test person.
    house.authenticators.insert(0, developer_principal)
    set_place(house.app, "developer_sign_out", "sandbox_accounts.sign_out", method="post")


def install_portal(house: House) -> None:
    """Home, the authority's and the developers' pages."""
    from portal.authority import install_authority
    from portal.developers import install_developers
    from portal.home import install_home

    install_home(house.app)
    install_authority(house.app)
    install_developers(house.app)


def _exists(path: str) -> bool:
    return (ROOT / path).exists()


def _furnish(house: House, block: str) -> None:
    for folder in sorted((ROOT / block).iterdir()):
        name = f"{block.removeprefix('platform/')}.{folder.name}"
        if (folder / "web.py").exists():
            house.pages.append(import_module(f"{name}.web").pages)
        if (folder / "api.py").exists():
            module = import_module(f"{name}.api")
            if hasattr(module, "endpoints"):
                house.endpoints.append(module.endpoints)


INSTALL = {
    "identity": install_identity,
    "catalogue": install_catalogue,
    "interoperability": install_interoperability,
    "sandbox": install_sandbox,
}


def translations(settings: Settings) -> list[Path]:
    """The catalogues of messages of the kernel, the portal and the blocks deployed."""
    platform = ROOT / "platform"
    blocks = [platform / name if name == "sandbox" else ROOT / name for name in settings.blocks]
    return [folder / "translations" for folder in (platform / "kernel", platform / "portal", *blocks)]


CAPABILITIES = {
    "identity": ("people", "signin", "agencies", "clients", "openid"),
    "catalogue": ("services", "agreements", "metering"),
    "interoperability": ("directory", "communications", "evidence"),
    "sandbox": ("accounts", "applications", "personas"),
}


def import_models() -> None:
    """Import every table of every block, deployed or not: there is one schema."""
    import_module("kernel.keys")
    for block, capabilities in CAPABILITIES.items():
        for capability in capabilities:
            package = f"{block}.{capability}"
            if (
                ROOT / "platform" / block / capability if block == "sandbox" else ROOT / block / capability
            ).exists() and find_spec(f"{package}.models"):
                import_module(f"{package}.models")
