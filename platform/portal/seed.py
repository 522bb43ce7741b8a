"""The contents of a fresh sandbox: test persons, a small tree of agencies, a published service and the client of the
demonstration site.

Running it again changes nothing. It is refused in production: the test persons' password is known to everyone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from catalogue.openapi_documents.reader import read_openapi
from catalogue.services import actions as services
from catalogue.services import queries as catalogue
from catalogue.services.rules import ServiceFacts
from identity.agencies.actions import create_agency
from identity.agencies.queries import find_agency
from identity.clients.registry.actions import create_client
from identity.clients.registry.queries import registered_client
from identity.officials.actions import appoint
from identity.people.queries import find_by_run
from kernel.base.errors import Forbidden
from kernel.base.installation import settings
from kernel.base.parties import Party
from kernel.jobs.access import AgencyRef, Principal, acting_as
from sandbox.demonstration import provider
from sandbox.demonstration.settings import DemonstrationSettings
from sandbox.personas.actions import seed_personas

if TYPE_CHECKING:
    from catalogue.services.models import ServiceVersion

EVERY_ROLE = ("administrator", "publisher", "correspondent")

MINISTRY = "AE005"
# Code, name, who works there, and whether it is the authority. All are invented.
AGENCIES = (
    ("AE001", "Autoridad de Gobierno Digital", "55.555.555-5", True),
    ("AE002", "Servicio de Información Territorial", "88.888.888-8", False),
    ("AE003", "Municipalidad de Los Andes del Sur", "99.999.999-9", False),
    ("AE004", "Registro Nacional de Trámites", "55.555.555-5", False),
)
AUTHORITY, TERRITORY, MUNICIPALITY = (code for code, *_ in AGENCIES[:3])


def seed() -> None:
    """Fill the sandbox. Raises Forbidden in production."""
    if settings().is_production:
        raise Forbidden("The sandbox's persons have a password that everyone knows: not in production.")
    seed_personas()
    if not find_agency(MINISTRY):
        create_agency(MINISTRY, "Ministerio de Gobierno y Territorio", kind="ministry", valid_from=date(2000, 1, 1))
    for code, name, official, is_authority in AGENCIES:
        _seed_agency(code, name, official, is_authority=is_authority)
    _seed_service()
    _seed_demonstration_site()


def _seed_agency(code: str, name: str, official: str, *, is_authority: bool) -> None:
    if find_agency(code):
        return
    if code == MUNICIPALITY:
        create_agency(code, name, kind="municipality")
    else:
        create_agency(code, name, is_authority=is_authority, parent=MINISTRY)
    for role in EVERY_ROLE:
        appoint(code, official, role)


def _official(run: str, code: str, roles: Iterable[str]) -> Principal:
    """The official as they would be after signing in and choosing the agency."""
    person, agency = find_by_run(run), find_agency(code)
    if person is None or agency is None:
        raise LookupError(f"{run} at {code} is not seeded")
    name = " ".join([*person.given_names, *person.family_names])
    return Principal("official", str(person.id), name, AgencyRef(agency.code, agency.name), frozenset(roles))


def _seed_service() -> None:
    """A service of the territory agency behind the gateway, approved by the authority.

    Where the provider has moved to another port since, the service gets a version at the new address.
    """
    address = settings().of(DemonstrationSettings).demonstration_provider_url
    if not address:
        return
    publisher = _official("88.888.888-8", TERRITORY, EVERY_ROLE)
    with acting_as(publisher):
        version = _submitted_version(publisher, address)
    if version is not None:
        reviewer = _official("55.555.555-5", AUTHORITY, (*EVERY_ROLE, "authority"))
        with acting_as(reviewer):
            services.approve_version(reviewer, version.service.code, version.version)


def _submitted_version(publisher: Principal, address: str) -> ServiceVersion | None:
    """A version of the provider at its address that waits for the authority; None where it was approved before."""
    document = read_openapi(json.dumps(provider.openapi_document(address)).encode())
    base_url = address + provider.BASE_PATH
    existing = catalogue.of_agency(TERRITORY).items
    if not existing:
        service = services.draft_service(publisher, _facts(), catalogue.prepare_version("v1", base_url, document))
    elif all(version.base_url != base_url for version in existing[0].versions):
        service = existing[0]
        name = f"v{len(service.versions) + 1}"
        services.new_version(publisher, service.code, catalogue.prepare_version(name, base_url, document))
    else:
        return None
    return services.submit_version(publisher, service.code, f"v{len(service.versions)}")


def _facts() -> ServiceFacts:
    return ServiceFacts.checked(
        name=provider.NAME,
        description=provider.DESCRIPTION,
        kind="api",
        contact="territorio@example.cl",
        obligation="recommended",
    )


def _seed_demonstration_site() -> None:
    """The client of the demonstration site, and the file in which the site finds its credentials."""
    address = settings().of(DemonstrationSettings).demonstration_site_url
    path = settings().data_dir / "demonstration.json"
    if not address or _is_registered(path, address):
        return
    made = create_client(
        "Municipalidad de Los Andes del Sur",
        "standard",
        [f"{address}/callback"],
        post_logout_redirect_uris=[f"{address}/"],
        owner=Party.agency(MUNICIPALITY),
    )
    credentials = {"client_id": made.client.client_id, "client_secret": made.secret, "site": address}
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(credentials, file)


def _is_registered(path: Path, address: str) -> bool:
    if not path.exists():
        return False
    known = json.loads(path.read_text(encoding="utf-8"))
    return bool(known["site"] == address and registered_client(known["client_id"]))
