"""The meeting of the blocks: the application is put together of their capabilities.

What a block needs of another is handed over here and nowhere else. A block is imported only where it is deployed
(`CORDILLERA_BLOCKS`), so the imports of blocks stand inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from flask import Flask
from flask_babel import lazy_gettext as _

from catalogue.ports import PORTS
from identity.ports import AGREEMENTS, SERVICE_OWNERS
from kernel.base import settings as kernel_settings
from kernel.base.settings import ALL_BLOCKS, Settings, SettingsError
from kernel.composition import Composition
from kernel.jobs.access import authority
from kernel.pages.layout import add_navigation
from kernel.recording import audit_chain
from kernel.recording.sealing import SealedLog
from portal import pending
from portal.authority import install_authority
from portal.capabilities import blocks, capabilities
from portal.developers import install_developers
from portal.home import install_home

if TYPE_CHECKING:
    from catalogue.ports import Credentials
    from identity.ports import AgreementInForce

HERE = Path(__file__).parent
AUDIT = SealedLog("audit", _("Who did what"), audit_chain.seal_batch, audit_chain.unsealed, audit_chain.link_of)


def load_settings() -> Settings:
    """The settings of this environment. Raises SettingsError with one sentence that names the setting."""
    settings = kernel_settings.load(declared_settings())
    deployed_blocks(settings)
    return settings


def declared_settings() -> list[type]:
    """List the settings of capabilities, deployed or not: there is one environment."""
    pieces = (capability_module(name, "settings") for block in blocks() for name in capabilities(block))
    return [piece.DECLARED for piece in pieces if piece]


def deployed_blocks(settings: Settings) -> Sequence[str]:
    """The blocks that are deployed here. Raises SettingsError for one that there is not."""
    if settings.blocks == ALL_BLOCKS:
        return blocks()
    if not set(settings.blocks) <= set(blocks()):
        raise SettingsError(f"CORDILLERA_BLOCKS may name {', '.join(blocks())}, or be {', '.join(ALL_BLOCKS)}")
    return settings.blocks


def install_blocks(app: Flask, settings: Settings) -> None:
    """Bring in the portal and the blocks that are deployed, and let them meet."""
    composition = Composition(app, sealed_logs=[AUDIT])
    install_home(app)
    install_authority(app)
    install_developers(app)
    pending.compose(composition)
    for block in deployed_blocks(settings):
        for capability in capabilities(block):
            mount(composition, capability)
        if block in HAND_OVER:
            HAND_OVER[block](app)
    add_navigation(app, _("Authority"), "authority.pending_decisions", authority.allows, order=50)
    composition.install()


def mount(composition: Composition, capability: str) -> None:
    """Take what a capability brings: the same pieces everywhere, so their names are enough."""
    # Jobs and reactions are known once they are imported.
    for piece in ("actions", "reactions"):
        capability_module(capability, piece)
    if web := capability_module(capability, "web"):
        composition.pages.append(web.pages)
    if api := capability_module(capability, "api"):
        composition.endpoints.append(api.endpoints)
    if module := capability_module(capability, "composition"):
        module.compose(composition)


def capability_module(capability: str, piece: str) -> ModuleType | None:
    """A capability's module, None where it has no need of that piece."""
    name = f"{capability}.{piece}"
    return import_module(name) if find_spec(name) else None


def import_models() -> None:
    """Import every table of every block, deployed or not: there is one schema."""
    import_module("kernel.database.counters")
    import_module("kernel.keys.seal_timestamps")
    import_module("kernel.keys.signatures")
    import_module("kernel.outside.deliveries_webhooks")
    import_module("kernel.outside.notice_models")
    import_module("kernel.pages.submissions")
    for block in blocks():
        for capability in capabilities(block):
            capability_module(capability, "models")


def hand_over_to_catalogue(app: Flask) -> None:
    """Identity's agencies and clients to the catalogue, and its agreements and services to identity."""
    from catalogue.ports import Ports
    from identity.openid.issuer import issuer

    PORTS.fill(app, Ports(AgenciesOfIdentity(), CatalogueClients(), lambda: f"{issuer()}/token"))
    AGREEMENTS.fill(app, agreement_in_force)
    SERVICE_OWNERS.fill(app, service_owner)


def hand_over_to_interoperability(app: Flask) -> None:
    """Identity's agencies to interoperability."""
    from interoperability import ports

    ports.PORTS.fill(app, ports.Ports(AgenciesOfIdentity()))


HAND_OVER = {"catalogue": hand_over_to_catalogue, "interoperability": hand_over_to_interoperability}


class CatalogueClients:
    """Identity's machine clients, as the catalogue asks for them."""

    def create(
        self, *, name: str, agency_code: str, scopes: Sequence[str], service_binding: Mapping[str, str]
    ) -> Credentials:
        from catalogue.ports import Credentials
        from identity.clients.machine_clients.actions import create_machine_client

        made = create_machine_client(name, agency_code, scopes, service_binding)
        return Credentials(made.client.client_id, made.secret or "")

    def revoke(self, client_id: str) -> None:
        from identity.clients.registry.actions import revoke_client

        revoke_client(client_id)


def agreement_in_force(code: str) -> AgreementInForce | None:
    """The catalogue's active agreement, as identity asks for it."""
    from catalogue.agreements.queries import provider_of
    from catalogue.agreements.rules import Status
    from identity.agencies.queries import find_agency
    from identity.ports import AgreementInForce

    provider = provider_of(code)
    if provider is None or provider[0].status != Status.ACTIVE:
        return None
    agreement, owner = provider[0], find_agency(provider[0].owner)
    return AgreementInForce(
        consumer=agreement.consumer,
        service_name=agreement.service_name,
        owner_name=owner.name if owner else agreement.owner,
        purpose=agreement.purpose,
        audience=f"urn:cordillera:service:{agreement.service_code}:{agreement.version}",
    )


def service_owner(code: str) -> str | None:
    """The code of the agency that offers a service, as identity asks for it."""
    from catalogue.services.queries import owner_of

    return owner_of(code)


class AgenciesOfIdentity:
    """Identity's agencies, as the other blocks ask for them."""

    def __init__(self) -> None:
        from identity.agencies.queries import active_agencies, find_agency
        from identity.officials.queries import officials_of

        self.find = find_agency
        self.all = active_agencies
        self.officials_of = officials_of


def translations(settings: Settings) -> list[Path]:
    """The catalogues of messages of the kernel, the portal and the blocks deployed."""
    return [
        Path(str(import_module(name).__path__[0])) / "translations"
        for name in ("kernel", "portal", *deployed_blocks(settings))
    ]
