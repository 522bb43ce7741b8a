"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from flask import current_app
from sqlalchemy import CTE, bindparam, insert, or_, select, update

from identity.brakes.actions import COUNTERS, FORGIVING, attempt, forgive
from identity.brakes.rules import WaitBeforeTrying, throttle_keys
from identity.people.actions import rehash_password, set_password
from identity.people.models import Person
from identity.people.queries import KNOWN_PERSON, get_person
from identity.people.rules import (
    NOBODYS_HASH,
    SECOND_FACTOR_ALWAYS,
    KnownPerson,
    SharedTestPerson,
    check_new_password,
    needs_rehash,
    parse_run,
    password_matches,
    pepper_from,
)
from identity.signin.models import SignInSession
from identity.signin.queries import (
    SignIn,
    alive,
    current_sign_in,
    find_session,
    forget_current_sign_in,
    note_current_sign_in,
    own_session,
)
from identity.signin.rules import (
    ABSOLUTE_LIMIT,
    IDLE_LIMIT,
    KEPT_FOR,
    PASSWORD_ALONE,
    Proof,
    WrongCredentials,
)
from kernel import clock
from kernel.access import Principal, act_as, current_principal
from kernel.audit import recorded
from kernel.errors import Invalid, NotFound, SignInRequired, _
from kernel.housekeeping import remove_batch, until_empty
from kernel.http import settings
from kernel.ids import new_id, new_token, token_hash
from kernel.jobs import periodic
from kernel.statements import Change, Lookup
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
    """A session that has just begun: what goes into the cookie, and what is known of it."""

    token: str
    sign_in: SignIn

    @property
    def person(self) -> KnownPerson:
        return self.sign_in.person


@dataclass(frozen=True)
class Halfway:
    """The password is right, and this person wants a code to be asked for before any session begins."""

    person: KnownPerson


def sign_in_with_password(
    run: str, password: str, address: str, device: str = "", replaces: str = ""
) -> StartedSession | Halfway:
    """Begin a session for the person with this RUN and password, or say that their code is wanted first.

    device: what the browser calls itself in readable words. replaces: the cookie that came with the request, whose
    session ends here: a name for a session is never taken from outside (session fixation).
    Raises Invalid for what is not a RUN, WaitBeforeTrying, and WrongCredentials, the same for unknown people.
    """
    person, counted_at = _prove(run, password, address)
    if person.second_factor == SECOND_FACTOR_ALWAYS:
        return _stop_halfway(person, counted_at)
    return start_session(person, PASSWORD_ALONE, address, device, replaces, forgives=counted_at)


def change_password(current: str, new: str, address: str) -> None:
    """Replace the password of the person signed in, and end their sessions elsewhere.

    Raises Invalid at `current` or `new`, WaitBeforeTrying, SharedTestPerson.
    """
    check_new_password(new, "new")
    person, counted_at = _confirm_password(current, address, "current")
    _replace_password(person, new, counted_at)


def confirm_password(password: str, address: str) -> Person:
    """The person signed in, who has just typed their password once more.

    Raises Invalid at `password`, WaitBeforeTrying, and SharedTestPerson: what asks for the password again is what a
    shared person may not do.
    """
    person, counted_at = _confirm_password(password, address, "password")
    forgive(counted_at)
    return person


def _confirm_password(password: str, address: str, field: str) -> tuple[Person, Sequence[str]]:
    """The same, with the counters that the attempt was counted at. field: where it is told that it is wrong."""
    person = get_person(current_principal().id)
    if person.is_test_person:
        raise SharedTestPerson()
    try:
        counted_at = _prove(str(person.run), password, address)[1]
    except WrongCredentials as problem:
        raise Invalid(fields={field: [_("This is not your current password.")]}) from problem
    return person, counted_at


@action
def sign_out(work: Work) -> None:
    """End the session of this request, if there is one."""
    found = current_sign_in()
    if found is None:
        return
    own_session(found).ended_at = work.now
    work.record("identity:session:ended", f"person:{found.person.id}", sid=found.sid, reason="signed out")
    _tell_ended(work, [found.sid])
    forget_current_sign_in()


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


_whose = Lookup(
    select(*COUNTERS.c, Person.password_hash, *KNOWN_PERSON).select_from(
        COUNTERS.outerjoin(Person, Person.run_number == bindparam("run_number"))
    )
)
"""Whose password it would be, for an `attempt`."""


def _prove(run: str, password: str, address: str) -> tuple[KnownPerson, Sequence[str]]:
    """The person, if the password is theirs, and the counters that this attempt has been counted at.

    Raises Invalid for what is not a RUN, WaitBeforeTrying, WrongCredentials.
    """
    number = parse_run(run).number
    try:
        with attempt(throttle_keys(number, address), _whose, run_number=number) as (found, counted_at):
            password_hash, *person = found
            # An unknown person costs the same hash, so that the time says nothing either.
            matches = password_matches(password, password_hash or NOBODYS_HASH, pepper_from(settings().master_key))
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
    with separate_work() as work:
        work.record("identity:sign-in:refused", f"run:{run_number}", reason=reason)


@action
def _stop_halfway(work: Work, person: KnownPerson, counted_at: Sequence[str]) -> Halfway:
    forgive(counted_at)
    work.record("identity:sign-in:code-wanted", f"person:{person.id}")
    return Halfway(person)


_BEGUN = ("token_hash", "sid", "person_id", "acr", "amr", "device", "address", "authenticated_at", "expires_at")


def _beginning(*forgiving: CTE) -> Change:
    """A new session, and what its beginning forgives, with the audit's record."""
    new = insert(SignInSession).values({column: bindparam(column) for column in (*_BEGUN, "id")})
    begun = new.values(last_seen_at=bindparam("authenticated_at")).returning(SignInSession.id).cte("begun")
    return Change(select(begun).add_cte(*forgiving), records=begun)


_begin, _begin_and_forgive = _beginning(), _beginning(*FORGIVING)


def start_session(
    person: KnownPerson, proof: Proof, address: str, device: str, replaces: str, forgives: Sequence[str] = ()
) -> StartedSession:
    """Begin a session of a person who has just proved who they are, in place of the one of the cookie `replaces`.

    Where changes are made `together` it begins with the next one.
    forgives: the counters that the proof was counted at, if it was.
    """
    act_as(Principal(kind="person", id=str(person.id), name=person.name))
    if not replaces:
        return _begin_session(person, proof, address, device, new_token(22), forgives)
    return _replace_session(person, proof, address, device, replaces, forgives)


@action
def _replace_session(
    work: Work, person: KnownPerson, proof: Proof, address: str, device: str, replaces: str, forgives: Sequence[str]
) -> StartedSession:
    sid = _end_replaced(work, replaces, person.id) or new_token(22)
    return _begin_session(person, proof, address, device, sid, forgives)


def _begin_session(
    person: KnownPerson, proof: Proof, address: str, device: str, sid: str, forgives: Sequence[str]
) -> StartedSession:
    token, now = new_token(), clock.now()
    begin, forgiven = (_begin_and_forgive, {"forgiven": list(forgives)}) if forgives else (_begin, {})
    begin.soon(
        id=new_id(),
        token_hash=token_hash(token),
        sid=sid,
        person_id=person.id,
        acr=proof.acr,
        amr=list(proof.amr),
        device=device,
        address=address,
        authenticated_at=now,
        expires_at=now + ABSOLUTE_LIMIT,
        **forgiven,
        **recorded("identity:session:started", f"person:{person.id}", sid=sid, acr=proof.acr, device=device),
    )
    started = SignIn(sid, person, now, proof.acr, list(proof.amr))
    note_current_sign_in(started)
    return StartedSession(token, started)


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
    row = own_session(found)
    row.token_hash, row.acr, row.amr = token_hash(token), proof.acr, list(proof.amr)
    work.record("identity:session:raised", f"person:{found.person.id}", sid=found.sid, acr=proof.acr)
    raised = replace(found, acr=proof.acr, amr=list(proof.amr))
    note_current_sign_in(raised)
    return StartedSession(token, raised)


@action
def _replace_password(work: Work, person: Person, password: str, counted_at: Sequence[str]) -> None:
    set_password(person.id, password, field="new")
    forgive(counted_at)
    end_other_sessions()
    for listener in listeners().passwords_changed:
        listener(work, person.id)


def _end_replaced(work: Work, token: str, person_id: UUID) -> str | None:
    """End the session that was in this browser before.

    Of the same person, the new one goes on under its public name, which is returned: what applications know of it
    stays true.
    """
    replaced = find_session(token)
    if replaced is None or replaced.ended_at is not None:
        return None
    replaced.ended_at = work.now
    work.record("identity:session:ended", f"person:{replaced.person_id}", sid=replaced.sid, reason="signed in again")
    if replaced.person_id != person_id:
        _tell_ended(work, [replaced.sid])
        return None
    kept, replaced.sid = replaced.sid, new_token(22)
    return kept


def _tell_ended(work: Work, sids: Sequence[str], *, by_time: bool = False) -> None:
    for listener in listeners().sessions_ended:
        listener(work, sids, by_time)


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
    """Delete sessions that ended long ago, in batches."""
    until_empty(delete_old_sessions)


@action
def delete_old_sessions(work: Work) -> int:
    """One batch of sessions beyond their time; how many."""
    gone = remove_batch(work.session, SignInSession, SignInSession.expires_at < work.now - KEPT_FOR)
    if gone:
        work.record("identity:session:swept", "sign_in_session", sessions=gone)
    return gone
