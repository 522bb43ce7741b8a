"""Sessions: who is signed in here, and where else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from flask import g, has_request_context, request
from sqlalchemy import ColumnElement, and_, bindparam, select, update

from identity.agencies.queries import AGENCY, beside_active_agency, today_bound
from identity.authentication.sessions.models import SignInSession
from identity.authentication.sessions.rules import COOKIE, IDLE_LIMIT, LAST_SEEN_EVERY, is_active
from identity.officials.queries import functions_held, holds_a_function, roles_of
from identity.officials.rules import AUTHORITY
from identity.people.queries import KNOWN_PERSON, with_person
from identity.people.rules import KnownPerson
from kernel.base import clock
from kernel.base.ids import token_hash
from kernel.database.db import session
from kernel.database.prepared import PreparedQuery, PreparedWrite
from kernel.jobs.access import AgencyRef, Principal, program_paths


@dataclass(frozen=True)
class SignIn:
    """A living session: the person, how and when they proved it, and the agency they act for."""

    sid: str
    person: KnownPerson
    authenticated_at: datetime
    acr: str
    amr: list[str]
    agency: AgencyRef | None = None
    roles: frozenset[str] = frozenset()
    has_agencies: bool = False

    @property
    def principal(self) -> Principal:
        """The person, as an official where they act for an agency in which they still hold a function."""
        someone = Principal(
            kind="person", id=str(self.person.id), name=self.person.name, has_agencies=self.has_agencies
        )
        if self.agency is None:
            return someone
        return replace(
            someone, kind="official", agency=self.agency, roles=self.roles, is_authority=AUTHORITY in self.roles
        )


def session_principal() -> Principal | None:
    """The authenticator of pages."""
    if program_paths(request.path):
        return None
    sign_in = current_sign_in()
    return sign_in.principal if sign_in else None


def current_sign_in() -> SignIn | None:
    """Return the session of this request's cookie, or the one that has just begun. It costs one read a request, and a
    write once a minute at most.
    """
    token = _shown()
    known: tuple[str, SignIn | None] | None = g.get("sign_in")
    if known is None or known[0] != token:
        known = (token, _load(token) if token else None)
        g.sign_in = known
    return known[1]


def note_current_sign_in(sign_in: SignIn) -> None:
    """This request has just begun a session, or made more of it."""
    g.sign_in = (_shown(), sign_in)


def _shown() -> str:
    """Return the token that the browser shows for its session; nothing outside of a request of Flask's."""
    return request.cookies.get(COOKIE, "") if has_request_context() else ""


def forget_current_sign_in() -> None:
    """Read the session again when it is next asked for: it has just changed."""
    g.pop("sign_in", None)
    g.pop("principal", None)


def find_session(token: str) -> SignInSession | None:
    """The session of a cookie's value, alive or not."""
    return session().scalar(select(SignInSession).where(SignInSession.token_hash == token_hash(token)))


_columns = select(
    SignInSession.sid,
    SignInSession.authenticated_at,
    SignInSession.acr,
    SignInSession.amr,
    SignInSession.last_seen_at,
    SignInSession.expires_at,
    *AGENCY,
    functions_held(SignInSession.agency_code, SignInSession.person_id, today_bound()),
    holds_a_function(SignInSession.person_id, today_bound()),
    *KNOWN_PERSON,
).select_from(SignInSession)
_by_token = _columns.where(SignInSession.token_hash == bindparam("token_hash"), SignInSession.ended_at.is_(None))
_sign_in = PreparedQuery(
    # Nobody acts for an agency that has ended.
    beside_active_agency(with_person(_by_token, SignInSession.person_id), SignInSession.agency_code, today_bound())
)
_seen = PreparedWrite(
    update(SignInSession)
    .where(SignInSession.sid == bindparam("name"), SignInSession.last_seen_at <= bindparam("before"))
    .values(last_seen_at=bindparam("now"))
)


def _load(token: str) -> SignIn | None:
    row = _sign_in(token_hash=token_hash(token), today=clock.today())
    if row is None:
        return None
    sid, authenticated_at, acr, amr, last_seen_at, expires_at, code, name, is_authority, held, has_agencies, *person = (
        row
    )
    now = clock.now()
    if not is_active(now, last_seen_at, expires_at):
        return None
    if now - last_seen_at >= LAST_SEEN_EVERY:
        # By itself, because it counts even if the request fails; no news for the audit.
        _seen.alone(name=sid, before=now - LAST_SEEN_EVERY, now=now)
    alone = SignIn(sid, KnownPerson(*person), authenticated_at, acr, amr, has_agencies=has_agencies)
    if code is None or not held:
        return alone
    roles = roles_of(held, is_authority=is_authority)
    return replace(alone, agency=AgencyRef(code, name, is_authority), roles=roles)


def own_session(sign_in: SignIn) -> SignInSession:
    """The row of a living session, to change it."""
    return session().scalars(select(SignInSession).where(SignInSession.sid == sign_in.sid)).one()


def active_sessions(person_id: UUID | str) -> Sequence[SignInSession]:
    """List the places where a person is signed in, the latest first."""
    return (
        session()
        .scalars(
            select(SignInSession)
            .where(SignInSession.person_id == person_id, active_at(clock.now()))
            .order_by(SignInSession.last_seen_at.desc())
            .limit(100)
        )
        .all()
    )


def active_at(now: datetime) -> ColumnElement[bool]:
    """`rules.is_active` in SQL."""
    return and_(
        SignInSession.ended_at.is_(None),
        SignInSession.expires_at > now,
        SignInSession.last_seen_at > now - IDLE_LIMIT,
    )
