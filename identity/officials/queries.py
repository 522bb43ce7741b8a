"""Reads of officials and their functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select

from identity.agencies.models import Agency
from identity.agencies.queries import is_active_on
from identity.officials.models import Appointment
from identity.officials.rules import functions_with
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import session
from kernel.jobs.access import AgencyRef


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
    holds = exists().where(
        Appointment.person_id == Person.id,
        Appointment.agency_code == code,
        Appointment.function.in_(functions_with(role)),
        is_in_effect_on(today),
    )
    exists_today = exists().where(Agency.code == code, is_active_on(today))
    found = session().scalars(select(Person).where(holds, exists_today).order_by(Person.id))
    return [Official(person.id, person.name, person.email, person.language) for person in found]


def agencies_of(person_id: UUID | str) -> list[tuple[AgencyRef, list[str]]]:
    """The agencies a person may act for today, each with the functions held, by name."""
    today = literal(clock.today())
    rows = session().execute(
        select(Agency, Appointment.function)
        .join(Appointment, Appointment.agency_code == Agency.code)
        .where(Appointment.person_id == person_id, is_in_effect_on(today), is_active_on(today))
        .order_by(Agency.name, Agency.code, Appointment.function)
    )
    held: dict[AgencyRef, list[str]] = {}
    for agency, function in rows:
        functions = held.setdefault(agency.ref, [])
        if function not in functions:
            functions.append(function)
    return list(held.items())


def is_official(person_id: UUID | str) -> bool:
    """Whether a person holds any function at any agency today."""
    today = literal(clock.today())
    query = select(Appointment.id).join(Agency, Agency.code == Appointment.agency_code)
    holds = query.where(Appointment.person_id == person_id, is_in_effect_on(today), is_active_on(today))
    return bool(session().scalar(select(holds.exists())))


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
    return (
        select(Appointment, Person)
        .join(Person, Person.id == Appointment.person_id)
        .where(Appointment.agency_code == code)
    )
