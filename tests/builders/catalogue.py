"""Services, agreements and the agencies around them, for tests of the catalogue and of whoever needs one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, UUID, uuid5

from flask import Flask
from flask.testing import FlaskClient

from catalogue.agreements import actions as agreement_actions
from catalogue.agreements.rules import Purpose, Transition
from catalogue.openapi_documents.reader import read_openapi
from catalogue.ports import PORTS, Credentials, Ports
from catalogue.services import actions as service_actions
from catalogue.services.queries import prepare_version
from catalogue.services.rules import ServiceFacts, VersionFacts
from kernel.base.installation import SETTINGS
from kernel.jobs.access import AUTHENTICATORS, AgencyRef, Principal, act_as

if TYPE_CHECKING:
    from catalogue.agreements.models import Agreement
    from catalogue.services.models import Service

OWNER = AgencyRef("AE001", "Servicio de Territorio")
CONSUMER = AgencyRef("AE002", "Municipalidad de Los Andes del Sur")
STRANGER = AgencyRef("AE003", "Dirección de Obras")
AUTHORITY = AgencyRef("AE000", "Secretaría de Gobierno Digital", is_authority=True)
EVERYONE = (OWNER, CONSUMER, STRANGER, AUTHORITY)


def an_official(agency: AgencyRef, *roles: str) -> Principal:
    """An official of the agency with the roles given, or all those of their agency."""
    usual = ("administrator", "publisher", "correspondent")
    return Principal(
        "official",
        str(uuid5(NAMESPACE_OID, agency.code)),
        f"Ana de {agency.name}",
        agency,
        frozenset(roles or usual),
        is_authority=agency.is_authority and not roles,
    )


def a_machine(
    agency: AgencyRef, *scopes: str, service_binding: Mapping[str, str] | None = None, client_id: str = ""
) -> Principal:
    return Principal(
        "machine",
        client_id or f"machine-{agency.code}",
        "System",
        agency,
        scopes=frozenset(scopes),
        service_binding=service_binding or {},
    )


@dataclass(frozen=True)
class AnOfficial:
    name: str
    email: str | None
    person_id: UUID
    language: str = "es"


@dataclass
class FakeAgencies:
    """The agencies above and no others; each has one publisher with a mailbox and one without."""

    def find(self, code: str) -> AgencyRef | None:
        return next((agency for agency in EVERYONE if agency.code == code), None)

    def officials_of(self, code: str, role: str) -> list[AnOfficial]:
        return [
            AnOfficial("Ana", f"{role}@{code.lower()}.example", UUID(int=1)),
            AnOfficial("Berta", None, UUID(int=2)),
        ]


@dataclass
class FakeClients:
    """Machine clients in memory."""

    made: list[dict[str, Any]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def create(
        self, *, name: str, agency_code: str, scopes: Sequence[str], service_binding: Mapping[str, str]
    ) -> Credentials:
        client_id = f"client-{len(self.made) + 1}"
        self.made.append(
            {"id": client_id, "agency": agency_code, "scopes": list(scopes), "binding": dict(service_binding)}
        )
        return Credentials(client_id, "the-secret")

    def revoke(self, client_id: str) -> None:
        self.revoked.append(client_id)


def with_fakes(app: Flask) -> FakeClients:
    """Give the catalogue agencies and clients without the identity block; the clients, to look into."""
    clients = FakeClients()
    PORTS.fill(app, Ports(FakeAgencies(), clients, lambda: f"{SETTINGS.of(app).base_url}/openid/token"))
    return clients


@dataclass
class Caller:
    """The principal who makes a test's requests: `app`'s only authenticator answers with `principal`."""

    client: FlaskClient
    principal: Principal = field(default_factory=Principal)

    def acting(self, principal: Principal) -> FlaskClient:
        self.principal = principal
        return self.client


def a_caller(app: Flask) -> Caller:
    caller = Caller(app.test_client())
    AUTHENTICATORS.fill(app, [lambda: caller.principal])
    return caller


def an_openapi_document(**paths: Any) -> dict[str, Any]:
    plate = {"name": "patente", "in": "path", "required": True, "schema": {"type": "string"}}
    answers = {"200": {"description": "El permiso"}}
    operation = {"summary": "Consulta un permiso", "parameters": [plate], "responses": answers}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Permisos de circulación", "version": "1.0"},
        "paths": {"/permisos/{patente}": {"get": operation}, **paths},
    }


def service_facts(**changed: str) -> ServiceFacts:
    usual = {
        "name": "Permisos de circulación",
        "description": "Consulta los permisos de circulación vigentes de un vehículo.",
        "kind": "api",
        "contact": "soporte@territorio.example",
        "obligation": "recommended",
    }
    return ServiceFacts.checked(**{**usual, **changed})


def version_facts(version: str = "v1", base_url: str = "https://api.territorio.example/permisos") -> VersionFacts:
    return prepare_version(version, base_url, read_openapi(json.dumps(an_openapi_document()).encode()))


def a_service(owner: AgencyRef = OWNER, *, base_url: str = "", **facts: str) -> Service:
    """A draft, complete enough to be submitted."""
    publisher = an_official(owner)
    act_as(publisher)
    version = version_facts(base_url=base_url) if base_url else version_facts()
    return service_actions.draft_service(publisher, service_facts(**facts), version)


def a_published_service(owner: AgencyRef = OWNER, *, base_url: str = "", **facts: str) -> Service:
    service = a_service(owner, base_url=base_url, **facts)
    service_actions.submit_version(an_official(owner), service.code, "v1")
    reviewer = an_official(AUTHORITY)
    act_as(reviewer)
    service_actions.approve_version(reviewer, service.code, "v1")
    return service


def a_purpose(**changed: Any) -> Purpose:
    usual: dict[str, Any] = {
        "text": "Verificar el permiso al renovar la licencia",
        "legal_basis": "Ley 18.290, art. 12",
        "personal_data": True,
        "daily_calls": 500,
    }
    return Purpose.checked(**{**usual, **changed})


def a_request(service: Service | None = None, *, consumer: AgencyRef = CONSUMER, **purpose: Any) -> Agreement:
    service = service or a_published_service()
    asking = an_official(consumer)
    act_as(asking)
    return agreement_actions.request_agreement(asking, service.code, "v1", a_purpose(**purpose))


def an_agreement(service: Service | None = None, **asked: Any) -> Agreement:
    """An active one, without credentials."""
    agreement = a_request(service, **asked)
    owner = an_official(OWNER)
    act_as(owner)
    return agreement_actions.transition(owner, agreement.code, Transition.APPROVE)
