"""Officials are appointed to functions at an agency, and their appointments end."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select

from identity.agencies.actions import locked_agency
from identity.agencies.rules import Period, check_period
from identity.officials.models import Appointment
from identity.officials.queries import FUNCTIONS, has_role, roles_of
from identity.officials.rules import (
    ADMINISTRATOR,
    FunctionTaken,
    LastAdministrator,
    RoleAlreadyHeld,
    check_norm_of,
)
from identity.people.queries import find_by_run
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound, _
from kernel.recording.work import Work, action

if TYPE_CHECKING:
    from identity.people.models import Person


@action
def appoint(
    work: Work,
    agency_code: str,
    run: str,
    function: str,
    *,
    is_deputy: bool = False,
    starts_on: date | None = None,
    ends_on: date | None = None,
    norm: str = "",
) -> Person:
    """Appoint a person to a function at an agency for a term, from today on unless another day is named.

    Raises Invalid, at `run` for what is not a RUN or nobody's; RoleAlreadyHeld, FunctionTaken; NotFound for an unknown
    agency.
    """
    agency = locked_agency(work, agency_code)
    chosen = FUNCTIONS().get(function)
    if chosen is None:
        raise Invalid(fields={"function": [_("Choose one of the functions.")]})
    term = check_period(starts_on or clock.today(), ends_on, ("starts_on", "ends_on"))
    norm = check_norm_of(chosen, norm)
    person = find_by_run(run)
    if person is None:
        raise Invalid(fields={"run": [_("Nobody with this RUN has an account yet.")]})
    _check_free(work, agency.code, person.id, function, term, is_deputy=is_deputy)
    made = Appointment(
        agency_code=agency.code,
        person_id=person.id,
        function=function,
        is_deputy=is_deputy,
        starts_on=term.first,
        ends_on=term.last,
        norm=norm,
        created_at=work.now,
        created_by_name=work.by.name,
    )
    work.add(made)
    work.record("identity:membership:granted", agency, person=str(person.id), **_as_told(made))
    return person


def _as_told(appointment: Appointment) -> dict[str, Any]:
    return {
        "role": appointment.function,
        "is_deputy": appointment.is_deputy,
        "starts_on": appointment.starts_on.isoformat(),
        "ends_on": appointment.ends_on.isoformat() if appointment.ends_on else None,
        "norm": appointment.norm,
    }


def _check_free(work: Work, code: str, person_id: UUID, function: str, term: Period, *, is_deputy: bool) -> None:
    query = select(Appointment).where(
        Appointment.agency_code == code, Appointment.function == function, Appointment.ended_at.is_(None)
    )
    others = [one for one in work.session.scalars(query) if one.term.overlaps(term)]
    if any(one.person_id == person_id for one in others):
        raise RoleAlreadyHeld(fields={"run": [_("This person already has this role.")]})
    if FUNCTIONS()[function].is_single and not is_deputy and any(not one.is_deputy for one in others):
        raise FunctionTaken(fields={"function": [f"{FunctionTaken.explanation} {FunctionTaken.remedy}"]})


@action
def end_appointment(work: Work, agency_code: str, appointment_id: UUID) -> Appointment:
    """End an appointment now, or take one back that has not begun; it counts from the next request on.

    Raises NotFound, also for one that is over, and LastAdministrator.
    """
    # The lock on the agency makes two ends at once see each other.
    agency = locked_agency(work, agency_code)
    query = select(Appointment).where(Appointment.id == appointment_id, Appointment.agency_code == agency.code)
    appointment = work.session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if (
        appointment is None
        or appointment.ended_at is not None
        or (appointment.ends_on and appointment.ends_on < clock.today())
    ):
        raise NotFound()
    is_in_effect = appointment.is_in_effect(clock.today())
    appointment.ended_at, appointment.ended_by_name = work.now, work.by.name
    was_administrator = ADMINISTRATOR in roles_of([appointment.function], is_authority=False)
    if is_in_effect and was_administrator and not _has_administrator(work, agency.code):
        raise LastAdministrator()
    work.record("identity:membership:revoked", agency, person=str(appointment.person_id), **_as_told(appointment))
    return appointment


def _has_administrator(work: Work, code: str) -> bool:
    query = select(Appointment).where(
        Appointment.agency_code == code,
        has_role(ADMINISTRATOR),
        Appointment.ended_at.is_(None),
    )
    return any(one.is_in_effect(clock.today()) for one in work.session.scalars(query))
