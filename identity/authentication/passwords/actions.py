"""Authentication by a password, and changing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import bindparam, select

from identity.authentication.login_throttling.actions import COUNTERS, attempt, forgive
from identity.authentication.login_throttling.rules import WaitBeforeTrying, counter_keys
from identity.authentication.passwords.rules import WrongCredentials
from identity.authentication.sessions.actions import end_other_sessions
from identity.people.actions import rehash_password, set_password
from identity.people.queries import KNOWN_PERSON, PASSWORD_HASH, beside_person, get_person
from identity.people.rules import (
    DUMMY_HASH,
    KnownPerson,
    SharedTestPerson,
    check_new_password,
    needs_rehash,
    parse_run,
    password_matches,
    pepper_from,
)
from kernel.base.errors import Invalid, _
from kernel.base.installation import settings
from kernel.database.prepared import PreparedQuery
from kernel.jobs.access import Principal
from kernel.recording.work import Work, action, autonomous_work

if TYPE_CHECKING:
    from identity.people.models import Person


def change_password(by: Principal, current: str, new: str, address: str) -> None:
    """Replace the password of the person signed in, and end their sessions elsewhere.

    Raises Invalid at `current` or `new`, WaitBeforeTrying, SharedTestPerson.
    """
    check_new_password(new, "new")
    person, counted_at = _confirm_password(by, current, address, "current")
    _replace_password(person, new, counted_at)


def confirm_password(by: Principal, password: str, address: str) -> Person:
    """The person signed in, who has just typed their password once more.

    Raises Invalid at `password`, WaitBeforeTrying, and SharedTestPerson: what asks for the password again is what a
    shared person may not do.
    """
    person, counted_at = _confirm_password(by, password, address, "password")
    forgive(counted_at)
    return person


def _confirm_password(by: Principal, password: str, address: str, field: str) -> tuple[Person, Sequence[str]]:
    """Check the current person's password, and return the counters that the attempt was counted at. field: where it is
    told that it is wrong.
    """
    person = get_person(by.id)
    if person.is_test_person:
        raise SharedTestPerson()
    try:
        counted_at = authenticate(str(person.run), password, address)[1]
    except WrongCredentials as problem:
        raise Invalid(fields={field: [_("This is not your current password.")]}) from problem
    return person, counted_at


_whose = PreparedQuery(
    select(*COUNTERS.c, PASSWORD_HASH, *KNOWN_PERSON).select_from(beside_person(COUNTERS, bindparam("run_number")))
)
"""The look-up of the person whose password it would be, for an `attempt`."""


def authenticate(run: str, password: str, address: str) -> tuple[KnownPerson, Sequence[str]]:
    """The person, if the password is theirs, and the counters that this attempt has been counted at.

    Raises Invalid for what is not a RUN, WaitBeforeTrying, WrongCredentials.
    """
    number = parse_run(run).number
    try:
        with attempt(counter_keys(number, address), _whose, run_number=number) as (row, counted_at):
            password_hash, *person = row
            # An unknown person costs the same hash, so that the time says nothing either.
            matches = password_matches(password, password_hash or DUMMY_HASH, pepper_from(settings().master_key))
            if password_hash is None or not matches:
                _record_refusal(number, "wrong password" if password_hash else "unknown person")
                raise WrongCredentials()
    except WaitBeforeTrying:
        _record_refusal(number, "has to wait")
        raise
    known = KnownPerson(*person)
    if needs_rehash(password_hash):
        _rehash(known.id, password)
    return known, counted_at


@action
def _rehash(work: Work, person_id: UUID, password: str) -> None:
    rehash_password(get_person(person_id), password)


def _record_refusal(run_number: int, reason: str) -> None:
    with autonomous_work() as work:
        work.record("identity:sign-in:refused", f"run:{run_number}", reason=reason)


@action
def _replace_password(work: Work, person: Person, password: str, counted_at: Sequence[str]) -> None:
    set_password(person.id, password, field="new")
    forgive(counted_at)
    end_other_sessions()
