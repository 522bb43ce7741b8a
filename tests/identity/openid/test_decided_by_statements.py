"""Rules that stand in a statement's WHERE and in Python decide alike, whatever is in the rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from builders.clients import a_client
from builders.identity import a_person
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, literal, select, update

from identity.authentication.sessions.models import SignInSession
from identity.authentication.sessions.queries import active_at
from identity.authentication.sessions.rules import IDLE_LIMIT, is_active
from identity.clients.registry.models import Client
from identity.clients.registry.queries import (
    active_client,
    forget,
    has_option,
    keys_address_of,
    known_client,
    registered_client,
    with_client,
)
from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization import actions
from identity.openid.grants.code_actions import PresentedCode, check_redeemable, try_redeem
from identity.openid.grants.grant_actions import TokenRequest, refresh
from identity.openid.models import AccessToken, ApplicationConsent, Grant, RefreshToken
from identity.openid.rules import OAuthProblem
from identity.openid.tokens.access_tokens import active_token
from identity.openid.tokens.consents import has_consented
from identity.openid.tokens.proofs.sender_constraint import SenderConstraint
from identity.openid.tokens.token_queries import holder_of, person_of_grant
from kernel.base import clock
from kernel.base.ids import new_id, new_token, token_hash
from kernel.database.db import engine, session

TICK = timedelta(microseconds=1)
MOMENTS = st.sampled_from([timedelta(days=-1), -TICK, timedelta(), TICK, timedelta(minutes=1)])
"""Before now, now, and after."""
PERHAPS = st.one_of(st.none(), MOMENTS)
SCOPES = st.sets(st.sampled_from(["openid", "run", "name", "offline_access", 'with "quotes"', "back\\slash"]))
RESOURCES = st.sets(st.sampled_from(["https://a.cl/", "https://a.cl", "urn:b", "ñ"]))
TEXTS = st.sampled_from([None, "", "one", "One", "one "])
often = hypothesis_settings(max_examples=150)


@dataclass
class Installation:
    """One application, one person, and what is decided about."""

    client: RegisteredClient
    person_id: UUID
    now: datetime

    def at(self, moment: timedelta | None) -> Any:
        """The time that lies so far from now; none where there is no moment."""
        return None if moment is None else self.now + moment

    def a_grant(self, **values: Any) -> tuple[UUID, str]:
        """A code as it was issued, but for these columns."""
        code, grant_id = new_token(), new_id()
        usual = {
            "id": grant_id, "code_hash": token_hash(code), "client_id": self.client.client_id,
            "person_id": self.person_id, "redirect_uri": "one", "scopes": [], "resources": [],
            "authorization_details": [], "claims": {}, "sid": "s", "authenticated_at": self.now, "acr": "1", "amr": [],
            "created_at": self.now, "expires_at": self.now + TICK, "kept_until": self.now,
        }  # fmt: skip
        with engine().begin() as connection:
            for table in (AccessToken, RefreshToken, Grant):
                connection.execute(delete(table))
            connection.execute(insert(Grant).values(**{**usual, **values}))
        session().rollback()
        return grant_id, code


@pytest.fixture
def installation(app: Flask) -> Iterator[Installation]:
    now = clock.now().replace(microsecond=0)
    with app.app_context(), patch("kernel.base.clock.now", lambda: now):
        made, person = a_client("standard"), a_person()
        client = known_client(made.client.client_id)
        assert client is not None
        yield Installation(client, person.id, now)


@often
@given(
    values=st.fixed_dictionaries(
        {
            "expires_at": MOMENTS,
            "revoked_at": PERHAPS,
            "redirect_uri": TEXTS.map(lambda text: text or ""),
            "code_challenge": TEXTS,
            "dpop_jkt": TEXTS,
            "scopes": SCOPES.map(sorted),
            "resources": RESOURCES.map(sorted),
        }
    ),
    redirect_uri=TEXTS,
    code_challenge=TEXTS,
    key=TEXTS,
    scopes=st.one_of(st.none(), SCOPES.map(frozenset)),
    resources=RESOURCES.map(sorted),
    has_all=st.booleans(),
)
def test_a_code_is_redeemed_exactly_if_nothing_is_to_be_said_against_it(
    installation: Installation,
    values: dict[str, Any],
    redirect_uri: str | None,
    code_challenge: str | None,
    key: str | None,
    scopes: frozenset[str] | None,
    resources: list[str],
    has_all: bool,
) -> None:
    if has_all:  # most are wrong in several ways at once: half are right but for what chance leaves wrong
        values |= {"revoked_at": None, "redirect_uri": redirect_uri or "", "code_challenge": code_challenge}
    times = {name: installation.at(values[name]) for name in ("expires_at", "revoked_at")}
    grant_id, code = installation.a_grant(**values | times)
    shown = PresentedCode(code, redirect_uri, code_challenge)
    wanted = TokenRequest(scopes, resources, None, SenderConstraint(key))
    refused = None
    try:
        check_redeemable(session().get_one(Grant, grant_id), shown, wanted, installation.now)
    except OAuthProblem as problem:
        refused = problem
    session().rollback()
    redeemed = try_redeem(installation.client, shown, wanted)
    assert (redeemed is None) == (refused is not None), refused
    with engine().connect() as connection:
        redeemed_at = connection.scalar(select(Grant.redeemed_at).where(Grant.id == grant_id))
    assert redeemed_at == (installation.now if redeemed else None)


@often
@given(
    agreed=SCOPES,
    asked=SCOPES,
    withdrawn_at=PERHAPS,
    of_another=st.booleans(),
    is_there=st.sampled_from([True, True, False]),
)
def test_a_code_is_issued_exactly_for_what_was_agreed_to(
    installation: Installation,
    agreed: set[str],
    asked: set[str],
    withdrawn_at: timedelta | None,
    of_another: bool,
    is_there: bool,
) -> None:
    with engine().begin() as connection:
        connection.execute(delete(ApplicationConsent))
        if is_there:
            row = {"id": new_id(), "person_id": installation.person_id, "client_id": installation.client.client_id}
            row |= {"scopes": sorted(agreed), "given_at": installation.now, "last_used_at": installation.now}
            row["withdrawn_at"] = installation.at(withdrawn_at)
            connection.execute(insert(ApplicationConsent).values(**row))
    person_id = uuid4() if of_another else installation.person_id
    scopes = frozenset(asked)
    decision = actions.AuthorizationDecision(
        person_id,
        "sid",
        installation.now,
        "1",
        [],
        installation.client,
        "one",
        scopes,
        None,
        None,
        scopes,
        {},
        (),
        (),
        None,
    )
    issued = actions.issue_code(decision)
    assert (issued is not None) == has_consented(person_id, installation.client.client_id, asked)


@often
@given(expires_at=MOMENTS, revoked_at=PERHAPS, scopes=SCOPES)
def test_a_token_is_alive_to_every_statement_or_to_none(
    installation: Installation, expires_at: timedelta, revoked_at: timedelta | None, scopes: set[str]
) -> None:
    grant_id, _ = installation.a_grant(revoked_at=installation.at(revoked_at))
    token = new_token()
    row = {"token_hash": token_hash(token), "code_id": grant_id, "scopes": sorted(scopes), "audience": []}
    with engine().begin() as connection:
        connection.execute(
            insert(AccessToken).values(**row, created_at=installation.now, expires_at=installation.at(expires_at))
        )
    is_alive_here = revoked_at is None and expires_at > timedelta()
    found, holder = active_token(token), holder_of(token)
    assert (found is not None, holder is not None) == (is_alive_here, is_alive_here)
    assert (person_of_grant(grant_id) is not None) == (revoked_at is None)
    if found is not None and holder is not None:
        assert found.scopes == holder.scopes == frozenset(scopes)


@often
@given(
    last_seen=st.sampled_from([-IDLE_LIMIT - TICK, -IDLE_LIMIT, -IDLE_LIMIT + TICK, timedelta()]),
    expires_at=MOMENTS,
    ended_at=PERHAPS,
)
def test_a_session_is_alive_to_the_rule_and_to_the_statement(
    installation: Installation, last_seen: timedelta, expires_at: timedelta, ended_at: timedelta | None
) -> None:
    row = {
        "last_seen_at": installation.at(last_seen),
        "expires_at": installation.at(expires_at),
        "ended_at": installation.at(ended_at),
    }
    with engine().begin() as connection:
        if not connection.execute(update(SignInSession).values(**row)).rowcount:
            others = {"id": new_id(), "token_hash": b"x", "sid": "sid", "person_id": installation.person_id, "acr": "1"}
            others |= {"amr": [], "device": "", "address": "", "authenticated_at": installation.now}
            connection.execute(insert(SignInSession).values(**others, **row))
        counted = connection.scalar(select(SignInSession.sid).where(active_at(installation.now)))
    by_the_rule = ended_at is None and is_active(
        installation.now, installation.at(last_seen), installation.at(expires_at)
    )
    assert (counted is not None) == by_the_rule


@often
@given(revoked_at=PERHAPS, has_logout=st.booleans())
def test_a_client_is_active_to_every_statement_or_to_none(
    installation: Installation, revoked_at: timedelta | None, has_logout: bool
) -> None:
    client_id = installation.client.client_id
    options = {"backchannel_logout_uri": "https://a.cl/out"} if has_logout else {}
    row = {"revoked_at": installation.at(revoked_at), "options": options, "jwks_uri": "https://a.cl/keys"}
    with engine().begin() as connection:
        connection.execute(update(Client).values(**row))
    session().rollback()
    forget(client_id)
    is_active = revoked_at is None
    found = registered_client(client_id) is not None, active_client(client_id) is not None
    read = keys_address_of(client_id) is not None, known_client(client_id) is not None
    assert (*found, *read) == (is_active,) * 4
    installation.a_grant()
    joined = session().execute(with_client(select(Grant.id), Grant.client_id, is_active=True)).one_or_none()
    named = session().scalar(select(has_option(literal(client_id), "backchannel_logout_uri")))
    assert (joined is not None, named) == (is_active, is_active and has_logout)


@often
@given(expires_at=MOMENTS, revoked_at=PERHAPS, key=TEXTS, used_at=st.sampled_from([None, None, timedelta()]))
def test_a_refresh_token_is_refreshed_exactly_if_introspection_calls_it_active(
    installation: Installation,
    expires_at: timedelta,
    revoked_at: timedelta | None,
    key: str | None,
    used_at: timedelta | None,
) -> None:
    grant_id, _ = installation.a_grant(revoked_at=installation.at(revoked_at), scopes=["openid", "offline_access"])
    token, constraint = new_token(), SenderConstraint(key)
    row = {"token_hash": token_hash(token), "code_id": grant_id, "dpop_jkt": key, "created_at": installation.now}
    row |= {"expires_at": installation.at(expires_at), "used_at": installation.at(used_at)}
    with engine().begin() as connection:
        connection.execute(insert(RefreshToken).values(**row))
    active = active_token(token)
    try:
        issued = refresh(installation.client, token, TokenRequest(None, [], None, constraint))
    except OAuthProblem:
        issued = None
    # One that was used this moment is no longer active, and is answered once more (RFC 9700 4.14.2).
    is_retry = used_at is not None and revoked_at is None and expires_at > timedelta()
    assert (issued is not None) == (active is not None or is_retry)
    assert active is None or active.is_refresh_token
