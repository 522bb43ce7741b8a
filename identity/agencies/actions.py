"""Agencies, their members, and whom an official acts for."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from identity.agencies.models import Agency, Membership
from identity.agencies.rules import (
    ADMINISTRATOR,
    AgencyCodeTaken,
    LastAdministrator,
    RoleAlreadyHeld,
    check_role,
    clean_code,
    clean_name,
)
from identity.people.models import Person
from identity.people.queries import find_by_run
from kernel.base.errors import Invalid, NotFound, _
from kernel.recording.work import Work, action


@action
def create_agency(work: Work, code: str, name: str, *, is_authority: bool = False) -> Agency:
    """Register an agency under its state code. Raises Invalid, and AgencyCodeTaken with the message at `code`."""
    agency = Agency(code=clean_code(code), name=clean_name(name), is_authority=is_authority, created_at=work.now)
    work.add(agency)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise AgencyCodeTaken(fields={"code": [_("Another agency has this code.")]}) from error
    work.record("identity:agency:created", agency, name=agency.name, is_authority=is_authority)
    return agency


@action
def rename_agency(work: Work, code: str, name: str) -> Agency:
    """Give an agency another name; its code stays. Raises Invalid, NotFound."""
    agency = _locked_agency(work, code)
    before, agency.name = agency.name, clean_name(name)
    work.record("identity:agency:renamed", agency, before=before, after=agency.name)
    return agency


@action
def add_member(work: Work, agency_code: str, run: str, role: str) -> Person:
    """Give a person a role at an agency.

    Raises Invalid at `run` for what is not a RUN or nobody's, RoleAlreadyHeld, NotFound for an unknown agency.
    """
    agency = _locked_agency(work, agency_code)
    check_role(role)
    person = find_by_run(run)
    if person is None:
        raise Invalid(fields={"run": [_("Nobody with this RUN has an account yet.")]})
    if _held(work, agency.code, person.id, role) is not None:
        raise RoleAlreadyHeld(fields={"run": [_("This person already has this role.")]})
    work.add(Membership(agency_code=agency.code, person_id=person.id, role=role, created_at=work.now))
    work.record("identity:membership:granted", agency, person=str(person.id), role=role)
    return person


@action
def remove_role(work: Work, agency_code: str, person_id: UUID, role: str) -> None:
    """Take a role away; it counts from the person's next request on. Raises NotFound, LastAdministrator."""
    # The lock on the agency makes two removals at once see each other.
    agency = _locked_agency(work, agency_code)
    held = _held(work, agency.code, person_id, role)
    if held is None:
        raise NotFound()
    if role == ADMINISTRATOR and _administrators(work, agency.code) == 1:
        raise LastAdministrator()
    work.session.delete(held)
    work.record("identity:membership:revoked", agency, person=str(person_id), role=role)


@action
def remove_member(work: Work, agency_code: str, person_id: UUID) -> None:
    """Take every role at an agency away. Raises NotFound, LastAdministrator."""
    _locked_agency(work, agency_code)
    roles = work.session.scalars(
        select(Membership.role).where(Membership.agency_code == agency_code, Membership.person_id == person_id)
    ).all()
    if not roles:
        raise NotFound()
    for role in roles:
        remove_role(agency_code, person_id, role)


def _locked_agency(work: Work, code: str) -> Agency:
    agency = work.session.scalar(select(Agency).where(Agency.code == code).with_for_update())
    if agency is None:
        raise NotFound()
    return agency


def _held(work: Work, code: str, person_id: UUID, role: str) -> Membership | None:
    return work.session.scalar(
        select(Membership).where(
            Membership.agency_code == code, Membership.person_id == person_id, Membership.role == role
        )
    )


def _administrators(work: Work, code: str) -> int:
    count = work.session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(Membership.agency_code == code, Membership.role == ADMINISTRATOR)
    )
    return count or 0
