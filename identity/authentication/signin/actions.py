"""Signing in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from identity.authentication.login_throttling.actions import forgive
from identity.authentication.passwords.actions import authenticate
from identity.authentication.sessions.actions import StartedSession, start_session
from identity.authentication.sessions.rules import PASSWORD_ALONE
from identity.people.rules import (
    SECOND_FACTOR_ALWAYS,
    KnownPerson,
)
from kernel.recording.work import Work, action


@dataclass(frozen=True)
class SecondFactorRequired:
    """The password is right, and this person wants a code to be asked for before any session begins."""

    person: KnownPerson


def sign_in_with_password(
    run: str, password: str, address: str, device: str = "", replaces: str = ""
) -> StartedSession | SecondFactorRequired:
    """Begin a session for the person with this RUN and password, or say that their code is wanted first.

    device: what the browser calls itself in readable words. replaces: the cookie that came with the request, whose
    session ends here: a name for a session is never taken from outside (session fixation).
    Raises Invalid for what is not a RUN, WaitBeforeTrying, and WrongCredentials, the same for unknown people.
    """
    person, counted_at = authenticate(run, password, address)
    if person.second_factor == SECOND_FACTOR_ALWAYS:
        return _require_second_factor(person, counted_at)
    return start_session(person, PASSWORD_ALONE, address, device, replaces, forgives=counted_at)


@action
def _require_second_factor(work: Work, person: KnownPerson, counted_at: Sequence[str]) -> SecondFactorRequired:
    forgive(counted_at)
    work.record("identity:sign-in:code-wanted", f"person:{person.id}")
    return SecondFactorRequired(person)
