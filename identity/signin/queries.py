"""Who is signed in here, and where else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import g, has_request_context, request
from sqlalchemy import ColumnElement, and_, bindparam, func, select, update

from identity.agencies.models import Agency, Membership
from identity.agencies.rules import effective_roles
from identity.people.models import Person
from identity.signin.models import SignInSession
from identity.signin.rules import COOKIE, IDLE_LIMIT, LAST_SEEN_EVERY, is_alive
from kernel import clock
from kernel.access import AgencyRef, Principal
from kernel.db import engine, session
from kernel.ids import token_hash


@dataclass(frozen=True)
class SignIn:
    """A living session: the person, how and when they proved it, and the agency they act for."""

    session: SignInSession
    person: Person
    agency: AgencyRef | None
    roles: frozenset[str]

    @property
    def sid(self) -> str:
        return self.session.sid

    @property
    def authenticated_at(self) -> datetime:
        return self.session.authenticated_at

    @property
    def acr(self) -> str:
        return self.session.acr

    @property
    def amr(self) -> list[str]:
        return self.session.amr

    @property
    def principal(self) -> Principal:
        """The person, as an official where they act for an agency in which they still hold a role."""
        if self.agency is None:
            return Principal(kind="person", id=str(self.person.id), name=self.person.name)
        return Principal(
            kind="official", id=str(self.person.id), name=self.person.name, agency=self.agency, roles=self.roles
        )


def session_principal() -> Principal | None:
    """The authenticator of pages. Cookies count for nothing below /api/ and /gateway/, where only tokens do."""
    if request.path.startswith(("/api/", "/gateway/")):
        return None
    found = current_sign_in()
    return found.principal if found else None


def current_sign_in() -> SignIn | None:
    """The living session of this request's cookie: one select a request, and a write once a minute at most."""
    if not has_request_context():
        return None
    token = request.cookies.get(COOKIE, "")
    known: tuple[str, SignIn | None] | None = g.get("sign_in")
    if known is None or known[0] != token:
        known = (token, _load(token) if token else None)
        g.sign_in = known
    return known[1]


def forget_current_sign_in() -> None:
    """Read the session again when it is next asked for: it has just changed."""
    g.pop("sign_in", None)
    g.pop("principal", None)


def find_session(token: str) -> SignInSession | None:
    """The session of a cookie's value, alive or not."""
    return session().scalar(select(SignInSession).where(SignInSession.token_hash == token_hash(token)))


_ROLES = (
    select(func.array_agg(Membership.role))
    .where(Membership.agency_code == SignInSession.agency_code, Membership.person_id == SignInSession.person_id)
    .scalar_subquery()
)
_SIGN_IN = (
    select(SignInSession, Person, Agency, _ROLES)
    .join(Person, Person.id == SignInSession.person_id)
    .outerjoin(Agency, Agency.code == SignInSession.agency_code)
    .where(SignInSession.token_hash == bindparam("token_hash"), SignInSession.ended_at.is_(None))
)


def _load(token: str) -> SignIn | None:
    row = session().execute(_SIGN_IN, {"token_hash": token_hash(token)}).one_or_none()
    now = clock.now()
    if row is None or not is_alive(now, row[0].last_seen_at, row[0].expires_at):
        return None
    found, person, agency, held = row
    if now - found.last_seen_at >= LAST_SEEN_EVERY:
        _note_sign_of_life(found.id, now)
    if agency is None or not held:
        return SignIn(found, person, None, frozenset())
    return SignIn(found, person, agency.ref, effective_roles(frozenset(held), is_authority=agency.is_authority))


def _note_sign_of_life(session_id: UUID, now: datetime) -> None:
    """Beside the request's transaction, because it counts even if the request fails; no news for the audit."""
    table = SignInSession.__table__
    with engine().begin() as connection:
        connection.execute(
            update(table)  # type: ignore[arg-type]
            .where(table.c.id == session_id, table.c.last_seen_at <= now - LAST_SEEN_EVERY)
            .values(last_seen_at=now)
        )


def living_sessions(person_id: UUID | str) -> Sequence[SignInSession]:
    """Where a person is signed in, the latest first."""
    return (
        session()
        .scalars(
            select(SignInSession)
            .where(SignInSession.person_id == person_id, alive(clock.now()))
            .order_by(SignInSession.last_seen_at.desc())
            .limit(100)
        )
        .all()
    )


def alive(now: datetime) -> ColumnElement[bool]:
    """`rules.is_alive` in SQL."""
    return and_(
        SignInSession.ended_at.is_(None),
        SignInSession.expires_at > now,
        SignInSession.last_seen_at > now - IDLE_LIMIT,
    )
