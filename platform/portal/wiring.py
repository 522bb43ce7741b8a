"""Where the blocks meet: what each one needs of another is handed over here, and nowhere else.

A block is imported only where it is deployed (`CORDILLERA_BLOCKS`), so the imports of blocks stand inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import flask
from flask import Flask
from flask_babel import lazy_gettext as _

from catalogue.ports import PORTS
from identity.ports import AGENCY_TASKS, AGREEMENTS, SERVICE_OWNERS
from kernel.api.interface import Blueprint as ApiBlueprint
from kernel.api.interface import install_api
from kernel.base.errors import Text
from kernel.base.settings import Settings
from kernel.jobs.access import MACHINE_SCOPES, Authenticator, Principal, authority, install_access, official
from kernel.pages.layout import add_navigation, set_place
from kernel.recording import audit_chain
from kernel.recording.sealing import SealedLog, install_sealing
from portal.authority import AUDIT_NAMES, WAITING, PendingDecision, install_authority
from portal.developers import install_developers
from portal.home import install_home

if TYPE_CHECKING:
    from catalogue.ports import Credentials
    from identity.ports import AgencyTask, AgreementInForce

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

CAPABILITIES = {
    "identity": (
        *("people", "agencies", "agency_imports", "officials"),
        *("authentication.login_throttling", "authentication.sessions", "authentication.passwords"),
        *("authentication.one_time_codes", "authentication.signin", "acting", "account"),
        *("clients.profiles", "clients.redirect_uris", "clients.client_secrets", "clients.client_keys"),
        *("clients.registry", "clients.expiry", "clients.token_exchange_policies", "clients.client_reviews"),
        *("clients.logos", "clients.applications", "clients.machine_clients"),
        *("clients.ownership_transfers", "clients.dynamic_registration"),
        "openid",
    ),
    "catalogue": ("services", "agreements", "gateway", "metering"),
    "interoperability": ("directory", "uploads", "communications", "receipts", "evidence"),
    "sandbox": ("accounts", "applications", "exchanges", "personas", "outbox"),
}

AUDIT = SealedLog("audit", _("Who did what"), audit_chain.seal_batch, audit_chain.unsealed)


@dataclass
class Composition:
    """What the blocks bring into the application."""

    app: Flask
    authenticators: list[Authenticator] = field(default_factory=list)
    pages: list[flask.Blueprint] = field(default_factory=list)
    endpoints: list[ApiBlueprint] = field(default_factory=list)
    sealed_logs: list[SealedLog] = field(default_factory=lambda: [AUDIT])
    machine_scopes: dict[str, Text] = field(default_factory=dict)


def install_blocks(app: Flask, settings: Settings) -> None:
    """Bring in the portal and the blocks that are deployed, and let them meet."""
    house = Composition(app)
    install_home(app)
    install_authority(app)
    install_developers(app)
    for block in settings.blocks:
        mount(house, block)
        INSTALL[block](house)
    add_navigation(app, _("Authority"), "authority.pending_decisions", authority.allows, order=50)
    MACHINE_SCOPES.fill(app, house.machine_scopes)
    install_access(app, house.authenticators)
    install_sealing(app, house.sealed_logs)
    for blueprint in house.pages:
        app.register_blueprint(blueprint)
    install_api(app, house.endpoints)


def agency_tasks(app: Flask) -> list[Callable[[Principal], list[AgencyTask]]]:
    """Who tells, block by block, what waits for an agency; its home asks them."""
    return AGENCY_TASKS.of(app)


def mount(house: Composition, block: str) -> None:
    """Take the pages and endpoints of every capability: the same furniture everywhere, so one loop finds it."""
    for capability in CAPABILITIES[block]:
        web, api = capability_module(block, capability, "web"), capability_module(block, capability, "api")
        # Jobs and reactions are known once they are imported.
        capability_module(block, capability, "actions")
        capability_module(block, capability, "reactions")
        if web:
            house.pages.append(web.pages)
        if api:
            house.endpoints.append(api.endpoints)


def capability_module(block: str, capability: str, furniture: str) -> ModuleType | None:
    """A capability's module, None where it has no need of that piece."""
    name = f"{block}.{capability}.{furniture}"
    return import_module(name) if find_spec(name) else None


def import_models() -> None:
    """Import every table of every block, deployed or not: there is one schema."""
    import_module("kernel.keys.signatures")
    import_module("kernel.outside.mail")
    import_module("kernel.pages.submissions")
    for block, capabilities in CAPABILITIES.items():
        for capability in capabilities:
            capability_module(block, capability, "models")


def install_identity(house: Composition) -> None:
    """Persons, sign-in, agencies, clients and the OpenID provider."""
    from identity.authentication.sessions.queries import session_principal
    from identity.clients.client_reviews.queries import pending_reviews
    from identity.openid.tokens.bearer import bearer_principal

    def waiting() -> list[PendingDecision]:
        return [
            PendingDecision(
                asked.client.name,
                asked.request.asked_at,
                flask.url_for("client_reviews.review", client_id=asked.client.client_id),
                _("Application"),
            )
            for asked in pending_reviews()
        ]

    WAITING.of(house.app).append(waiting)
    AUDIT_NAMES.of(house.app).append(names_in_identity)
    agency_tasks(house.app).append(tasks_in_identity)
    house.machine_scopes |= {"applications.manage": _("Register and change the applications that people sign in to")}
    house.authenticators += [session_principal, bearer_principal]
    set_place(house.app, "sign_in", "signin.sign_in")
    set_place(house.app, "sign_out", "sessions.sign_out", method="post")
    set_place(house.app, "account", "account.home")
    set_place(house.app, "choose_agency", "acting.home")
    add_navigation(house.app, _("My agency"), "acting.home", official.allows, order=20)


def tasks_in_identity(official: Principal) -> list[AgencyTask]:
    """What developers and other agencies ask of the official's agency."""
    from identity.clients.ownership_transfers.queries import pending_at
    from identity.clients.token_exchange_policies.queries import count_to_decide
    from identity.ports import AgencyTask

    agency = official.acting_agency.code
    if "administrator" not in official.roles:
        return []
    return [
        AgencyTask(len(pending_at(agency)), _("applications offered by developers"), "/agency/adoptions"),
        AgencyTask(count_to_decide(f"agency:{agency}"), _("requests to call your clients"), "/agency/exchanges"),
    ]


def tasks_in_catalogue(official: Principal) -> list[AgencyTask]:
    """Requests to use the agency's services, and versions that the authority gave back."""
    from catalogue.agreements.queries import count_to_answer
    from catalogue.services.queries import count_returned
    from identity.ports import AgencyTask

    agency = official.acting_agency.code
    if not official.roles & {"administrator", "publisher"}:
        return []
    return [
        AgencyTask(count_to_answer(agency), _("requests to use your services"), "/agency/agreements?side=owner"),
        AgencyTask(count_returned(agency), _("versions that the authority returned"), "/agency/services"),
    ]


def tasks_in_interoperability(official: Principal) -> list[AgencyTask]:
    """Communications that nobody has downloaded, or answered."""
    from identity.ports import AgencyTask
    from interoperability.communications.queries import count_by_status

    if "correspondent" not in official.roles:
        return []
    counts, inbox = count_by_status(official.acting_agency.code), "/agency/communications?status="
    return [
        AgencyTask(counts.get("available", 0), _("communications not downloaded yet"), f"{inbox}available"),
        AgencyTask(counts.get("downloaded", 0), _("communications downloaded and not answered"), f"{inbox}downloaded"),
    ]


def names_in_identity(subjects: Collection[str]) -> dict[str, str]:
    """The names of the people, agencies and clients that the audit names as `table:identifier`."""
    from identity.agencies.queries import list_agencies
    from identity.clients.registry.queries import names_of as names_of_clients
    from identity.people.queries import names_of as names_of_people

    by_table: dict[str, list[str]] = {}
    for table, _colon, identifier in (subject.partition(":") for subject in subjects):
        by_table.setdefault(table, []).append(identifier)
    found = {
        "person": names_of_people(by_table.get("person", ())),
        "client": names_of_clients(by_table.get("client", ())),
        "agency": {agency.code: agency.name for agency in list_agencies()} if "agency" in by_table else {},
    }
    return {f"{table}:{identifier}": name for table, names in found.items() for identifier, name in names.items()}


class CatalogueClients:
    """Identity's machine clients, as the catalogue asks for them."""

    def create(self, *, name: str, agency_code: str, scopes: Sequence[str], binding: Mapping[str, str]) -> Credentials:
        from catalogue.ports import Credentials
        from identity.clients.machine_clients.actions import create_machine_client

        made = create_machine_client(name, agency_code, scopes, binding)
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

    found = provider_of(code)
    if found is None or found[0].status != Status.ACTIVE:
        return None
    agreement, owner = found[0], find_agency(found[0].owner)
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


def install_catalogue(house: Composition) -> None:
    """Services, agreements, the gateway and what is made of it."""
    from catalogue.ports import Ports
    from catalogue.services.queries import pending_versions

    def waiting() -> list[PendingDecision]:
        return [
            PendingDecision(
                f"{version.service.name} {version.version}",
                version.submitted_at,
                flask.url_for("services.review", code=version.service.code, version=version.version),
                _("Service"),
            )
            for version in pending_versions()
            if version.submitted_at
        ]

    PORTS.fill(house.app, Ports(AgenciesOfIdentity(), CatalogueClients()))
    AGREEMENTS.fill(house.app, agreement_in_force)
    SERVICE_OWNERS.fill(house.app, service_owner)
    agency_tasks(house.app).append(tasks_in_catalogue)
    WAITING.of(house.app).append(waiting)
    house.machine_scopes |= {
        "catalogue.publish": _("Describe services and send them for approval"),
        "catalogue.agreements": _("Ask for agreements and read them"),
        "catalogue.usage": _("Read how much the agreements are used"),
    }
    add_navigation(house.app, _("Catalogue"), "services.catalogue", order=10)


def install_interoperability(house: Composition) -> None:
    """Communications between agencies and their evidence."""
    from interoperability.evidence.actions import seal_batch
    from interoperability.evidence.queries import unsealed
    from interoperability.ports import Ports, install_ports

    install_ports(house.app, Ports(AgenciesOfIdentity()))
    agency_tasks(house.app).append(tasks_in_interoperability)
    house.sealed_logs.append(SealedLog("evidence", _("Evidence of communications"), seal_batch, unsealed))
    house.machine_scopes |= {
        "communications.send": _("Send official communications"),
        "communications.receive": _("Receive official communications and answer them"),
        "directory.keys": _("Register and revoke the agency's signing keys"),
    }


def install_sandbox(house: Composition) -> None:
    """Developers and their applications."""
    from sandbox.accounts.web import developer_principal

    # First: below /sandbox the developer counts, although the same browser signed in as a test person.
    house.authenticators.insert(0, developer_principal)
    set_place(house.app, "developer_sign_out", "sandbox_accounts.sign_out", method="post")
    add_navigation(house.app, _("Sandbox"), "sandbox_accounts.home", order=70)


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
