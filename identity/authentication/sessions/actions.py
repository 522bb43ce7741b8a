"""Sessions begin, count for more, and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import CTE, bindparam, insert, or_, select, update

from identity.authentication.login_throttling.actions import FORGIVING
from identity.authentication.sessions.models import SignInSession
from identity.authentication.sessions.queries import (
    SignIn,
    active_at,
    current_sign_in,
    find_session,
    forget_current_sign_in,
    note_current_sign_in,
    own_session,
)
from identity.authentication.sessions.rules import ABSOLUTE_LIMIT, IDLE_LIMIT, KEPT_FOR, AuthenticationResult
from identity.people.queries import get_person
from identity.people.rules import (
    KnownPerson,
    SharedTestPerson,
)
from kernel.base import clock
from kernel.base.errors import NotFound, SignInRequired
from kernel.base.ids import new_id, new_token, token_hash
from kernel.database.prepared import PreparedWrite
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.access import Principal
from kernel.jobs.jobs import periodic
from kernel.recording.audit import record_of, recorded
from kernel.recording.work import Work, action, continue_as

ENDED_AT_A_TIME = 500


@dataclass(frozen=True)
class StartedSession:
    """A session that has just begun: what goes into the cookie, and what is known of it."""

    token: str
    sign_in: SignIn

    @property
    def person(self) -> KnownPerson:
        return self.sign_in.person


@action
def sign_out(work: Work) -> None:
    """End the session of this request, if there is one."""
    sign_in = current_sign_in()
    if sign_in is None:
        return
    own_session(sign_in).ended_at = work.now
    work.record("identity:session:ended", f"person:{sign_in.person.id}", sid=sign_in.sid, reason="signed out")
    forget_current_sign_in()


@action
def end_session(work: Work, sid: str) -> None:
    """End one session of the person signed in. Raises NotFound for a session that is not theirs, SharedTestPerson."""
    person_id = work.by.id
    if get_person(person_id).is_test_person:
        raise SharedTestPerson()
    row = work.session.scalar(
        select(SignInSession).where(SignInSession.sid == sid, SignInSession.person_id == person_id, active_at(work.now))
    )
    if row is None:
        raise NotFound()
    row.ended_at = work.now
    work.record("identity:session:ended", f"person:{person_id}", sid=sid, reason="ended by the person")


@action
def end_other_sessions(work: Work) -> int:
    """End every session of the person signed in but this one; how many. Raises SharedTestPerson."""
    here = current_sign_in()
    if here is None:
        return 0
    if here.person.is_test_person:
        raise SharedTestPerson()
    ended = work.session.scalars(
        update(SignInSession)
        .where(SignInSession.person_id == here.person.id, SignInSession.sid != here.sid, active_at(work.now))
        .values(ended_at=work.now)
        .returning(SignInSession.sid)
    ).all()
    work.record(
        "identity:session:ended",
        f"person:{here.person.id}",
        others=len(ended),
        sids=ended,
        reason="ended by the person",
    )
    return len(ended)


_BEGUN = ("token_hash", "sid", "person_id", "acr", "amr", "device", "address", "authenticated_at", "expires_at")


def _beginning(*forgiving: CTE) -> PreparedWrite:
    """A new session, and what its beginning forgives, with the audit's record."""
    new = insert(SignInSession).values({column: bindparam(column) for column in (*_BEGUN, "id")})
    begun = new.values(last_seen_at=bindparam("authenticated_at")).returning(SignInSession.id).cte("begun")
    return PreparedWrite(select(begun).add_cte(*forgiving), record=record_of(begun))


_begin, _begin_and_forgive = _beginning(), _beginning(*FORGIVING)


def start_session(
    person: KnownPerson,
    proof: AuthenticationResult,
    address: str,
    device: str,
    replaces: str,
    forgives: Sequence[str] = (),
) -> StartedSession:
    """Begin a session of a person who has just proved who they are, in place of the one of the cookie `replaces`.

    Where changes are made `together` it begins with the next one.
    forgives: the counters that the proof was counted at, if it was.
    """
    continue_as(Principal(kind="person", id=str(person.id), name=person.name))
    if not replaces:
        return _begin_session(person, proof, address, device, new_token(22), forgives)
    return _replace_session(person, proof, address, device, replaces, forgives)


@action
def _replace_session(
    work: Work,
    person: KnownPerson,
    proof: AuthenticationResult,
    address: str,
    device: str,
    replaces: str,
    forgives: Sequence[str],
) -> StartedSession:
    sid = _end_replaced(work, replaces, person.id) or new_token(22)
    return _begin_session(person, proof, address, device, sid, forgives)


def _begin_session(
    person: KnownPerson, proof: AuthenticationResult, address: str, device: str, sid: str, forgives: Sequence[str]
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
def raise_session(work: Work, proof: AuthenticationResult) -> StartedSession:
    """Let the session of this request count for more from now on, under a new value of the cookie.

    It keeps its `sid`, for it is the same session to applications, and the time of its sign-in, for the password has
    not been asked for again. Raises SignInRequired.
    """
    sign_in = current_sign_in()
    if sign_in is None:
        raise SignInRequired()
    token = new_token()
    row = own_session(sign_in)
    row.token_hash, row.acr, row.amr = token_hash(token), proof.acr, list(proof.amr)
    work.record("identity:session:raised", f"person:{sign_in.person.id}", sid=sign_in.sid, acr=proof.acr)
    raised = replace(sign_in, acr=proof.acr, amr=list(proof.amr))
    note_current_sign_in(raised)
    return StartedSession(token, raised)


def _end_replaced(work: Work, token: str, person_id: UUID) -> str | None:
    """End the session that was in this browser before.

    Of the same person, the new one goes on under its public name, which is returned: what applications know of it
    stays true.
    """
    replaced = find_session(token)
    if replaced is None or replaced.ended_at is not None:
        return None
    replaced.ended_at = work.now
    goes_on = replaced.person_id == person_id
    work.record(
        "identity:session:ended",
        f"person:{replaced.person_id}",
        sid=replaced.sid,
        reason="signed in again",
        goes_on=goes_on,
    )
    if not goes_on:
        return None
    sid, replaced.sid = replaced.sid, new_token(22)
    return sid


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
    work.record("identity:session:expired", "sign_in_session", sessions=len(ended), sids=ended)
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
