"""Reads of officials and their functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, ScalarSelect, and_, exists, func, literal, or_, select

from identity.agencies.queries import exists_on, with_active_agency
from identity.officials.models import Appointment
from identity.officials.rules import Function, all_functions, effective_roles, functions_with
from identity.people.queries import people_among, with_whole_person
from kernel.base import clock
from kernel.base.roles import ROLES
from kernel.base.slots import Slot
from kernel.database.db import Column, session
from kernel.jobs.access import AgencyRef

if TYPE_CHECKING:
    from identity.people.models import Person


FUNCTIONS: Slot[Mapping[str, Function]] = Slot("functions", lambda: all_functions(ROLES()))
"""Every function that an official may hold here, by its name."""


def roles_of(held: Iterable[str], *, is_authority: bool) -> frozenset[str]:
    """The roles of whoever holds these functions at an agency."""
    return effective_roles(frozenset(held), FUNCTIONS(), is_authority=is_authority)


def has_role(role: str) -> ColumnElement[bool]:
    """Whether an appointment's function is one from which the role follows."""
    return Appointment.function.in_(functions_with(role, FUNCTIONS()))


@dataclass(frozen=True)
class Official:
    """An official of an agency, as an addressee."""

    person_id: UUID
    name: str
    email: str | None
    language: str


def is_in_effect_on(day: ColumnElement[date]) -> ColumnElement[bool]:
    """`Appointment.is_in_effect` in SQL."""
    return and_(
        Appointment.ended_at.is_(None),
        Appointment.starts_on <= day,
        or_(Appointment.ends_on.is_(None), Appointment.ends_on >= day),
    )


def officials_of(code: str, role: str) -> list[Official]:
    """The people who have a role at an agency today, as holders of a function or their deputies."""
    today = literal(clock.today())
    holders = select(Appointment.person_id).where(
        Appointment.agency_code == code,
        has_role(role),
        is_in_effect_on(today),
        exists_on(code, today),
    )
    people = people_among(holders)
    return [Official(person.id, person.name, person.email, person.language) for person in people]


def agencies_of(person_id: UUID | str) -> list[tuple[AgencyRef, list[str]]]:
    """The agencies a person may act for today, each with the functions held, by name."""
    today = literal(clock.today())
    held_today = select(Appointment.function).where(Appointment.person_id == person_id, is_in_effect_on(today))
    query = with_active_agency(held_today, Appointment.agency_code, today)
    held: dict[AgencyRef, list[str]] = {}
    for function, agency in session().execute(query.order_by(Appointment.function)):
        functions = held.setdefault(agency.ref, [])
        if function not in functions:
            functions.append(function)
    return list(held.items())


def is_official(person_id: UUID | str) -> bool:
    """Whether a person holds any function at any agency today."""
    today = literal(clock.today())
    holds = exists().where(
        Appointment.person_id == person_id, is_in_effect_on(today), exists_on(Appointment.agency_code, today)
    )
    return bool(session().scalar(select(holds)))


def agency_of_official(code: str, person_id: UUID) -> AgencyRef | None:
    """The agency, if the person holds a function there today."""
    today = literal(clock.today())
    held = select(Appointment.id).where(
        Appointment.agency_code == code, Appointment.person_id == person_id, is_in_effect_on(today)
    )
    row = session().execute(with_active_agency(held, Appointment.agency_code, today).limit(1)).first()
    return row[1].ref if row else None


def functions_held(code: Column[str | None], person_id: Column[UUID], day: ColumnElement[date]) -> ScalarSelect[Any]:
    """The functions of a query's person at a query's agency on a day, None for none."""
    held = select(func.array_agg(Appointment.function))
    held = held.where(Appointment.agency_code == code, Appointment.person_id == person_id, is_in_effect_on(day))
    return held.scalar_subquery()


def holds_a_function(person_id: Column[UUID], day: ColumnElement[date]) -> Exists:
    """Whether a query's person holds a function anywhere on a day."""
    return exists().where(Appointment.person_id == person_id, is_in_effect_on(day))


def appointments_of(code: str) -> Sequence[tuple[Appointment, Person]]:
    """The appointments at an agency that are in effect or will be, by function, holders before their deputies."""
    today = clock.today()
    goes_on = and_(Appointment.ended_at.is_(None), or_(Appointment.ends_on.is_(None), Appointment.ends_on >= today))
    order = (Appointment.function, Appointment.is_deputy, Appointment.starts_on, Appointment.id)
    return [
        (row[0], row[1]) for row in session().execute(_appointments(code).where(goes_on).order_by(*order).limit(500))
    ]


def past_appointments(code: str, limit: int = 100) -> Sequence[tuple[Appointment, Person]]:
    """The latest appointments at an agency that are over, because their term is or because somebody ended them."""
    is_over = or_(Appointment.ended_at.is_not(None), Appointment.ends_on < clock.today())
    order = (func.coalesce(Appointment.ended_at, Appointment.ends_on).desc(), Appointment.id)
    return [
        (row[0], row[1]) for row in session().execute(_appointments(code).where(is_over).order_by(*order).limit(limit))
    ]


def _appointments(code: str) -> Any:
    return with_whole_person(select(Appointment), Appointment.person_id).where(Appointment.agency_code == code)
