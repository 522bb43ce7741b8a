"""Reads of agencies and their officials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, select

from identity.agencies.models import Agency, Membership
from identity.people.models import Person
from kernel.base.errors import NotFound
from kernel.database.db import session
from kernel.database.pagination import Page, page
from kernel.jobs.access import AgencyRef


@dataclass(frozen=True)
class Member:
    """A person and the roles they hold at one agency."""

    person: Person
    roles: frozenset[str]


@dataclass(frozen=True)
class Official:
    """An official of an agency, as an addressee."""

    person_id: UUID
    name: str
    email: str | None
    language: str


def find_agency(code: str) -> AgencyRef | None:
    """The agency with this state code."""
    found = session().scalar(select(Agency).where(Agency.code == code.replace("\x00", "")))
    return found.ref if found else None


def get_agency(code: str) -> Agency:
    """The agency with this state code. Raises NotFound."""
    found = session().scalar(select(Agency).where(Agency.code == code))
    if found is None:
        raise NotFound()
    return found


def list_agencies() -> list[AgencyRef]:
    """Every agency by its name, to choose from."""
    return [agency.ref for agency in session().scalars(select(Agency).order_by(Agency.name, Agency.code))]


def agencies_page(cursor: str | None = None, limit: int | None = None) -> Page[Agency]:
    """Agencies in the order of their codes."""
    return page(session(), select(Agency), [Agency.code], cursor=cursor, limit=limit, descending=False)


def officials_of(code: str, role: str) -> list[Official]:
    """List those who hold a role at an agency."""
    found = session().scalars(
        select(Person)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.agency_code == code, Membership.role == role)
        .order_by(Person.id)
    )
    return [Official(person.id, person.name, person.email, person.language) for person in found]


def agencies_of(person_id: UUID | str) -> list[tuple[AgencyRef, list[str]]]:
    """The agencies a person may act for, each with the roles held, by name."""
    rows = session().execute(
        select(Agency, Membership.role)
        .join(Membership, Membership.agency_code == Agency.code)
        .where(Membership.person_id == person_id)
        .order_by(Agency.name, Agency.code, Membership.role)
    )
    held: dict[AgencyRef, list[str]] = {}
    for agency, role in rows:
        held.setdefault(agency.ref, []).append(role)
    return list(held.items())


def is_official(person_id: UUID | str) -> bool:
    """Whether a person holds any role at any agency."""
    return bool(session().scalar(select(exists().where(Membership.person_id == person_id))))


def members_page(code: str, cursor: str | None = None) -> Page[Member]:
    """The people of an agency with their roles, in the order in which they were registered."""
    belongs = exists().where(Membership.person_id == Person.id, Membership.agency_code == code)
    people: Page[Person] = page(session(), select(Person).where(belongs), [Person.id], cursor=cursor, descending=False)
    roles = _roles_at(code, [person.id for person in people.items])
    return Page([Member(person, frozenset(roles[person.id])) for person in people.items], people.next)


def _roles_at(code: str, people: Sequence[UUID]) -> Mapping[UUID, list[str]]:
    rows = session().execute(
        select(Membership.person_id, Membership.role).where(
            Membership.agency_code == code, Membership.person_id.in_(people)
        )
    )
    roles: dict[UUID, list[str]] = {person_id: [] for person_id in people}
    for person_id, role in rows:
        roles[person_id].append(role)
    return roles
