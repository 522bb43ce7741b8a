"""Signing in and out, and the brakes on guessing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from flask import current_app
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from identity.people.actions import rehash_password, set_password
from identity.people.models import Person
from identity.people.queries import find_by_run, get_person
from identity.people.rules import (
    NOBODYS_HASH,
    SECOND_FACTOR_ALWAYS,
    SharedTestPerson,
    check_new_password,
    needs_rehash,
    parse_run,
    password_matches,
    pepper_from,
)
from identity.signin.models import SignInSession, SignInThrottle
from identity.signin.queries import alive, current_sign_in, find_session, forget_current_sign_in
from identity.signin.rules import (
    ABSOLUTE_LIMIT,
    FORGET_FAILURES_AFTER,
    IDLE_LIMIT,
    KEPT_FOR,
    PASSWORD_ALONE,
    Proof,
    WaitBeforeTrying,
    WrongCredentials,
    brake_of,
    throttle_keys,
)
from kernel import clock
from kernel.access import Principal, act_as, current_principal
from kernel.errors import Invalid, NotFound, SignInRequired, _
from kernel.housekeeping import remove_batch, until_empty
from kernel.http import settings
from kernel.ids import new_token, token_hash
from kernel.jobs import periodic
from kernel.work import Work, action, separate_work

ENDED_AT_A_TIME = 500


@dataclass
class Listeners:
    """Who wants to know, in the same transaction: of ended sessions by their `sid` and whether their time was over,
    and of persons with a new password.
    """

    sessions_ended: list[Callable[[Work, Sequence[str], bool], None]] = field(default_factory=list)
    passwords_changed: list[Callable[[Work, UUID], None]] = field(default_factory=list)


def listeners() -> Listeners:
    """This application's."""
    found: Listeners = current_app.extensions.setdefault("cordillera.sign_in_listeners", Listeners())
    return found


@dataclass(frozen=True)
class StartedSession:
    """A session that has just begun: what goes into the cookie, and whose it is."""

    token: str
    session: SignInSession
    person: Person


@dataclass(frozen=True)
class Halfway:
    """The password is right, and this person wants a code to be asked for before any session begins."""

    person: Person


def sign_in_with_password(
    run: str, password: str, address: str, device: str = "", replaces: str = ""
) -> StartedSession | Halfway:
    """Begin a session for the person with this RUN and password, or say that their code is wanted first.

    device: what the browser calls itself in readable words. replaces: the cookie that came with the request, whose
    session ends here: a name for a session is never taken from outside (session fixation).
    Raises Invalid for what is not a RUN, WaitBeforeTrying, and WrongCredentials, the same for unknown people.
    """
    person = _prove(run, password, address)
    if person.second_factor == SECOND_FACTOR_ALWAYS:
        return _stop_halfway(person, password, address)
    return _begin_with_password(person, password, address, device, replaces)


def change_password(current: str, new: str, address: str) -> None:
    """Replace the password of the person signed in, and end their sessions elsewhere.

    Raises Invalid at `current` or `new`, WaitBeforeTrying, SharedTestPerson.
    """
    check_new_password(new, "new")
    person = confirm_password(current, address, "current")
    _replace_password(person, new, address)


def confirm_password(password: str, address: str, field: str = "password") -> Person:
    """The person signed in, who has just typed their password once more.

    Raises Invalid with its message at `field`, WaitBeforeTrying, and SharedTestPerson: what asks for the password again
    is what a shared person may not do.
    """
    person = get_person(current_principal().id)
    if person.is_test_person:
        raise SharedTestPerson()
    try:
        return _prove(str(person.run), password, address)
    except WrongCredentials as problem:
        raise Invalid(fields={field: [_("This is not your password of now.")]}) from problem


@action
def sign_out(work: Work) -> SignInSession | None:
    """End the session of this request; what ended, or None if there was none."""
    found = current_sign_in()
    if found is None:
        return None
    found.session.ended_at = work.now
    work.record("identity:session:ended", f"person:{found.person.id}", sid=found.sid, reason="signed out")
    _tell_ended(work, [found.sid])
    forget_current_sign_in()
    return found.session


@action
def end_session(work: Work, sid: str) -> None:
    """End one session of the person signed in. Raises NotFound for a session that is not theirs, SharedTestPerson."""
    person_id = current_principal().id
    if get_person(person_id).is_test_person:
        raise SharedTestPerson()
    found = work.session.scalar(
        select(SignInSession).where(SignInSession.sid == sid, SignInSession.person_id == person_id, alive(work.now))
    )
    if found is None:
        raise NotFound()
    found.ended_at = work.now
    work.record("identity:session:ended", f"person:{person_id}", sid=sid, reason="ended by the person")
    _tell_ended(work, [sid])


@action
def end_other_sessions(work: Work) -> int:
    """End every session of the person signed in but this one; how many. Raises SharedTestPerson."""
    here = current_sign_in()
    if here is None:
        return 0
    if here.person.is_test_person:
        raise SharedTestPerson()
    ended = work.session.execute(
        update(SignInSession)
        .where(SignInSession.person_id == here.person.id, SignInSession.sid != here.sid, alive(work.now))
        .values(ended_at=work.now)
        .returning(SignInSession.sid)
    ).all()
    work.record("identity:session:ended", f"person:{here.person.id}", others=len(ended), reason="ended by the person")
    _tell_ended(work, [sid for (sid,) in ended])
    return len(ended)


def _prove(run: str, password: str, address: str) -> Person:
    """The person, if the password is theirs. The attempt counts as a failure until it has succeeded."""
    number = parse_run(run).number
    keys = throttle_keys(number, address)
    _take_attempt(number, keys)
    person = find_by_run(run)
    # An unknown person costs the same hash, so that the time says nothing either.
    known_hash = person.password_hash if person else NOBODYS_HASH
    matches = password_matches(password, known_hash, pepper_from(settings().master_key))
    if person is None or not matches:
        _record_refusal(number, "wrong password" if person else "unknown person")
        raise WrongCredentials()
    return person


def _take_attempt(run_number: int, keys: list[str]) -> None:
    """Count an attempt before it is looked at, under row locks: a thousand at once are a thousand, one after another.

    Raises WaitBeforeTrying while the person or the place has to wait; such an attempt does not make the wait longer.
    """
    wait = _count_attempt(keys)
    if wait > 0:
        _record_refusal(run_number, "has to wait")
        raise WaitBeforeTrying(math.ceil(wait))


def take_guess(key: str) -> None:
    """Count a guess at something else than a password; `forgive_guess` where it was right. Raises WaitBeforeTrying."""
    if (wait := _count_attempt([key])) > 0:
        raise WaitBeforeTrying(math.ceil(wait))


@action
def forgive_guess(work: Work, key: str) -> None:
    """The guess was right: none of those before it counts any more."""
    work.session.execute(delete(SignInThrottle).where(SignInThrottle.key == key))


def _count_attempt(keys: list[str]) -> float:
    """Count an attempt at each of the counters; the seconds to wait where it comes too early, and is not counted."""
    with separate_work() as work:
        work.session.execute(
            insert(SignInThrottle)
            .values([{"key": key, "failures": 0, "counted_at": work.now, "allowed_at": work.now} for key in keys])
            .on_conflict_do_nothing()
        )
        counters = _locked(work, keys)
        now = clock.now()
        wait = max((counter.allowed_at - now for counter in counters), default=timedelta()).total_seconds()
        if wait <= 0:
            for counter in counters:
                brake = brake_of(counter.key)
                counter.failures = brake.remembered(counter.failures, now - counter.counted_at) + 1
                counter.counted_at = now
                counter.allowed_at = now + brake.wait_after(counter.failures)
    return wait


def _record_refusal(run_number: int, reason: str) -> None:
    with separate_work() as work:
        work.record("identity:sign-in:refused", f"run:{run_number}", reason=reason)


@action
def _begin_with_password(
    work: Work, person: Person, password: str, address: str, device: str, replaces: str
) -> StartedSession:
    started = start_session(person, PASSWORD_ALONE, address, device, replaces)
    _welcome(work, person, password, address)
    return started


@action
def _stop_halfway(work: Work, person: Person, password: str, address: str) -> Halfway:
    _welcome(work, person, password, address)
    work.record("identity:sign-in:code-wanted", f"person:{person.id}")
    return Halfway(person)


def _welcome(work: Work, person: Person, password: str, address: str) -> None:
    """What a password that was right leads to."""
    if needs_rehash(person.password_hash):
        rehash_password(person, password)
    _forgive(work, throttle_keys(person.run_number, address))


@action
def start_session(work: Work, person: Person, proof: Proof, address: str, device: str, replaces: str) -> StartedSession:
    """Begin a session of a person who has just proved who they are, in place of the one of the cookie `replaces`."""
    token = new_token()
    started = SignInSession(
        token_hash=token_hash(token),
        sid=new_token(22),
        person_id=person.id,
        acr=proof.acr,
        amr=list(proof.amr),
        device=device,
        address=address,
        authenticated_at=work.now,
        last_seen_at=work.now,
        expires_at=work.now + ABSOLUTE_LIMIT,
    )
    act_as(Principal(kind="person", id=str(person.id), name=person.name))
    _end_replaced(work, replaces, started)
    work.add(started)
    work.record("identity:session:started", f"person:{person.id}", sid=started.sid, acr=started.acr, device=device)
    return StartedSession(token, started, person)


@action
def raise_session(work: Work, proof: Proof) -> StartedSession:
    """Let the session of this request count for more from now on, under a new value of the cookie.

    It keeps its `sid`, for it is the same session to applications, and the time of its sign-in, for the password has
    not been asked for again. Raises SignInRequired.
    """
    found = current_sign_in()
    if found is None:
        raise SignInRequired()
    token = new_token()
    found.session.token_hash = token_hash(token)
    found.session.acr, found.session.amr = proof.acr, list(proof.amr)
    work.record("identity:session:raised", f"person:{found.person.id}", sid=found.sid, acr=proof.acr)
    forget_current_sign_in()
    act_as(found.principal)
    return StartedSession(token, found.session, found.person)


@action
def _replace_password(work: Work, person: Person, password: str, address: str) -> None:
    set_password(person.id, password, field="new")
    _forgive(work, throttle_keys(person.run_number, address))
    end_other_sessions()
    for listener in listeners().passwords_changed:
        listener(work, person.id)


def _end_replaced(work: Work, token: str, started: SignInSession) -> None:
    """End the session that was in this browser before.

    Of the same person, the new one goes on under its public name: what applications know of it stays true.
    """
    replaced = find_session(token) if token else None
    if replaced is None or replaced.ended_at is not None:
        return
    replaced.ended_at = work.now
    work.record("identity:session:ended", f"person:{replaced.person_id}", sid=replaced.sid, reason="signed in again")
    if replaced.person_id != started.person_id:
        _tell_ended(work, [replaced.sid])
        return
    kept, replaced.sid = replaced.sid, new_token(22)
    work.session.flush()
    started.sid = kept


def _tell_ended(work: Work, sids: Sequence[str], *, by_time: bool = False) -> None:
    for listener in listeners().sessions_ended:
        listener(work, sids, by_time)


def _forgive(work: Work, keys: list[str]) -> None:
    """After a success the account's failures are forgotten, but of the address's only this attempt.

    Otherwise whoever has an account of their own could wash an address clean after every hundred guesses at others.
    """
    for counter in _locked(work, keys):
        if counter.key.startswith("address:"):
            counter.failures = max(0.0, counter.failures - 1)
        else:
            work.session.delete(counter)


def _locked(work: Work, keys: list[str]) -> Sequence[SignInThrottle]:
    """The counters, locked always in the same order, which is that of `throttle_keys`."""
    return work.session.scalars(
        select(SignInThrottle)
        .where(SignInThrottle.key.in_(keys))
        .order_by(SignInThrottle.key.collate("C"))
        .with_for_update()
    ).all()


@periodic("identity:session:expired", cron="* * * * *")
def end_expired_sessions() -> None:
    """End the sessions whose time is over, so that the applications entered with them learn of it."""
    while end_expired_batch() == ENDED_AT_A_TIME:
        pass


@action
def end_expired_batch(work: Work) -> int:
    """One batch, without waiting for anybody; how many."""
    over = work.session.scalars(
        select(SignInSession.id)
        .where(
            SignInSession.ended_at.is_(None),
            or_(SignInSession.expires_at <= work.now, SignInSession.last_seen_at <= work.now - IDLE_LIMIT),
        )
        .limit(ENDED_AT_A_TIME)
        .with_for_update(skip_locked=True)
    ).all()
    if not over:
        return 0
    ended = work.session.scalars(
        update(SignInSession)
        .where(SignInSession.id.in_(over))
        .values(ended_at=work.now)
        .returning(SignInSession.sid)
        .execution_options(synchronize_session=False)
    ).all()
    work.record("identity:session:expired", "sign_in_session", sessions=len(ended))
    _tell_ended(work, ended, by_time=True)
    return len(ended)


@periodic("identity:session:swept", cron="17 3 * * *")
def forget_old_sessions() -> None:
    """Delete sessions that ended long ago, and counters that nobody adds to, in batches."""
    until_empty(delete_old_throttles)
    until_empty(delete_old_sessions)


@action
def delete_old_throttles(work: Work) -> int:
    """One batch of counters that nobody adds to any more; how many."""
    return remove_batch(work.session, SignInThrottle, SignInThrottle.counted_at < work.now - FORGET_FAILURES_AFTER)


@action
def delete_old_sessions(work: Work) -> int:
    """One batch of sessions beyond their time; how many."""
    gone = remove_batch(work.session, SignInSession, SignInSession.expires_at < work.now - KEPT_FOR)
    if gone:
        work.record("identity:session:swept", "sign_in_session", sessions=gone)
    return gone
