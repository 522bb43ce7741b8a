"""Changes that the provider makes: consents, codes, tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from identity.clients.dynamic_registration.rules import UNUSED_LIFETIME
from identity.clients.registry.actions import remove_open_clients, use_once
from identity.clients.registry.queries import CLIENT_ID
from identity.clients.registry.rules import RegisteredClient
from identity.clients.token_exchange_policies.queries import is_in_a_policy
from identity.openid.authorization.interactions import code_for
from identity.openid.grants.request_problems import AlreadyAnswered, InvalidRequestUri
from identity.openid.models import (
    AccessToken,
    ApplicationConsent,
    DeviceAuthorization,
    Grant,
    PushedRequest,
    RefreshToken,
    RevokedToken,
)
from identity.openid.rules import (
    PROFILES,
    PUSHED_REQUEST_LIFETIME,
    PUSHED_REQUEST_URI,
    REQUEST_KEPT,
    SWEPT_AFTER,
    USE_NOTED_EVERY,
    lifetime,
)
from identity.openid.tokens.consents import has_consented, remember_consent
from identity.openid.tokens.revocation_cache import read_again
from kernel.base import clock
from kernel.base.crypto import seal
from kernel.base.ids import new_id, new_token, token_hash
from kernel.base.installation import settings
from kernel.database.prepared import PreparedWrite
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import periodic
from kernel.recording.audit import record_of, recorded
from kernel.recording.work import Work, action

UNUSED_AT_A_TIME = 200


@dataclass(frozen=True)
class AuthorizationDecision:
    """A person about to enter an application: who, how they signed in, and what the application asked for."""

    person_id: UUID
    sid: str
    authenticated_at: datetime
    acr: str
    amr: list[str]
    client: RegisteredClient
    redirect_uri: str
    scopes: frozenset[str]
    nonce: str | None
    code_challenge: str | None
    agreed_scopes: frozenset[str]
    """`scopes`, and those that stand for single claims that were asked for."""
    claims: dict[str, list[str]]
    resources: tuple[str, ...]
    authorization_details: tuple[dict[str, Any], ...]
    pushed: bytes | None
    dpop_jkt: str | None = None
    """The thumbprint of the key that the code is bound to (RFC 9449 10)."""
    interaction: str = ""
    """Names the one time that the request is put to the person; empty where they are asked nothing."""


@action
def push_request(work: Work, client: RegisteredClient, parameters: Mapping[str, Sequence[str]]) -> str:
    """Keep an authorization request for a moment; the request_uri that stands for it (RFC 9126 2.2)."""
    request_uri = PUSHED_REQUEST_URI + new_token()
    uri_hash = token_hash(request_uri)
    content = json.dumps({name: list(values) for name, values in parameters.items()}).encode()
    work.add(
        PushedRequest(
            uri_hash=uri_hash,
            client_id=client.client_id,
            sealed=seal(settings().master_key, content, f"pushed:{uri_hash.hex()}"),
            expires_at=work.now + PUSHED_REQUEST_LIFETIME,
        )
    )
    return request_uri


def _use_up(work: Work, pushed: bytes | None) -> None:
    """RFC 9126 4: a request_uri leads to one answer. Raises InvalidRequestUri for the second of two at once."""
    if pushed is None:
        return
    used = work.session.execute(
        update(PushedRequest)
        .where(PushedRequest.uri_hash == pushed, PushedRequest.used_at.is_(None))
        .values(used_at=work.now)
        .returning(PushedRequest.uri_hash)
        .execution_options(synchronize_session=False)
    )
    if used.one_or_none() is None:
        raise InvalidRequestUri()


@action
def allow(work: Work, entry: AuthorizationDecision) -> str:
    """Remember that the person agreed, and issue the code: for a button pressed twice the same one.

    Raises InvalidRequestUri, and AlreadyAnswered where the first answer was another one, or has arrived.
    """
    if not _is_first_answer(entry):
        return _code_on_its_way(work, entry)
    scopes = sorted(entry.agreed_scopes)
    details = list(entry.authorization_details)
    remember_consent(work, entry.person_id, entry.client.client_id, scopes, details)
    audit_details = {"authorization_details": details} if details else {}
    work.record(
        "identity:consent:given",
        f"client:{entry.client.client_id}",
        scopes=scopes,
        name=entry.client.name,
        **audit_details,
    )
    _use_up(work, entry.pushed)
    # What it looks for was written a moment ago.
    return cast(str, _issue_code(entry))


@action
def deny(work: Work, entry: AuthorizationDecision) -> None:
    """Remember that the person did not agree, once. Raises InvalidRequestUri, and AlreadyAnswered if they did agree."""
    if not _is_first_answer(entry):
        if _code_of(work, entry) is not None:
            raise AlreadyAnswered()
        return
    _use_up(work, entry.pushed)
    client, scopes = entry.client, sorted(entry.agreed_scopes)
    work.record("identity:consent:denied", f"client:{client.client_id}", scopes=scopes, name=client.name)


def _is_first_answer(entry: AuthorizationDecision) -> bool:
    """Whether the person has not answered in this interaction. Of two answers at once one waits for the other."""
    what = f"{entry.interaction}:{entry.person_id}"
    return use_once("consent", entry.client.client_id, what, clock.now() + REQUEST_KEPT)


def _code_on_its_way(work: Work, entry: AuthorizationDecision) -> str:
    """The code that the first answer gave, while nobody has redeemed it: the browser may have dropped that answer.

    Raises AlreadyAnswered.
    """
    given = _code_of(work, entry)
    if given is None or given.redeemed_at or given.revoked_at or given.expires_at <= work.now:
        raise AlreadyAnswered()
    return _new_code(entry)


def _code_of(work: Work, entry: AuthorizationDecision) -> Grant | None:
    """Return the code that the interaction has come to with this person, if they agreed."""
    query = select(Grant).where(Grant.code_hash == token_hash(_new_code(entry)))
    return work.session.scalar(query)


def _new_code(entry: AuthorizationDecision) -> str:
    """A code that nobody can guess: of an interaction always the same, so that it ends with one however often."""
    characters = PROFILES[entry.client.profile].code_characters
    if not entry.interaction:
        return new_token(characters)
    return code_for(entry.interaction, entry.person_id, characters)


_WRITTEN = ("client_id", "person_id", "redirect_uri", "scopes", "resources", "authorization_details", "claims", "nonce",
            "code_challenge", "dpop_jkt", "sid", "authenticated_at", "acr", "amr", "id", "code_hash", "created_at",
            "expires_at", "kept_until")  # fmt: skip


def _issuing() -> PreparedWrite:
    """A code for what the person has agreed to; no code, and no row, for anything else."""
    consent, columns = ApplicationConsent, Grant.__table__.columns
    agreed = (
        select(consent.id)
        .where(
            consent.person_id == bindparam("person_id"),
            consent.client_id == bindparam("client_id"),
            consent.withdrawn_at.is_(None),
            consent.scopes.contains(bindparam("agreed_scopes")),
        )
        # Who withdraws at this moment waits for the code, and revokes it; or the code waits, and is not issued.
        .with_for_update(read=True)
        .cte("agreed")
    )
    used = (
        update(consent)
        .where(consent.id == agreed.c.id, consent.last_used_at < bindparam("last_used_before"))
        .values(last_used_at=bindparam("created_at"))
    )
    code = select(*(bindparam(name, type_=columns[name].type) for name in _WRITTEN)).select_from(agreed)
    new = insert(Grant).from_select(_WRITTEN, code)
    # Who signs in twice in one interaction has one code, until it is redeemed; it is of the later session.
    anew = new.on_conflict_do_update(
        index_elements=["code_hash"],
        set_={name: new.excluded[name] for name in ("sid", "authenticated_at", "acr", "amr")},
        where=and_(
            Grant.redeemed_at.is_(None),
            Grant.revoked_at.is_(None),
            Grant.expires_at > new.excluded.created_at,
        ),
    )
    issued = anew.returning(Grant.id).cte("issued")
    return PreparedWrite(select(issued).add_cte(used.cte("used")), record=record_of(issued))


_issue = _issuing()


def issue_code(entry: AuthorizationDecision) -> str | None:
    """Issue the code with which the application learns who came in (RFC 6749 4.1.2); kept as a hash only. None where
    the person has not agreed to as much as the application asks for.

    Raises InvalidRequestUri for a pushed request that was answered before, and AlreadyAnswered for any other whose code
    was redeemed.
    """
    details, client_id = entry.authorization_details, entry.client.client_id
    # The database compares scopes; details are compared whole, member by member.
    if details and not has_consented(entry.person_id, client_id, entry.agreed_scopes, details):
        return None
    code = _issue_code(entry) if entry.pushed is None else _enter_pushed(entry)
    if code is None and entry.interaction:
        _refuse_second_answer(entry)
    return code


@action
def _refuse_second_answer(work: Work, entry: AuthorizationDecision) -> None:
    """Raises AlreadyAnswered where this very interaction has come to a code before."""
    if _code_of(work, entry) is not None:
        raise AlreadyAnswered()


@action
def _enter_pushed(work: Work, entry: AuthorizationDecision) -> str | None:
    code = _issue_code(entry)
    if code is not None:
        _use_up(work, entry.pushed)
    return code


def _issue_code(entry: AuthorizationDecision) -> str | None:
    profile, client, now = PROFILES[entry.client.profile], entry.client, clock.now()
    code, scopes = _new_code(entry), sorted(entry.scopes)
    issued = _issue(
        id=new_id(),
        code_hash=token_hash(code),
        client_id=client.client_id,
        person_id=entry.person_id,
        redirect_uri=entry.redirect_uri,
        scopes=scopes,
        resources=entry.resources,
        authorization_details=entry.authorization_details,
        claims=entry.claims,
        nonce=entry.nonce,
        code_challenge=entry.code_challenge,
        dpop_jkt=entry.dpop_jkt,
        sid=entry.sid,
        authenticated_at=entry.authenticated_at,
        acr=entry.acr,
        amr=entry.amr,
        created_at=now,
        expires_at=now + profile.code_lives,
        # Not only when it is redeemed: what changes nothing that is indexed is written once.
        kept_until=now + profile.code_lives + lifetime(scopes),
        agreed_scopes=sorted(entry.agreed_scopes),
        last_used_before=now - USE_NOTED_EVERY,
        **recorded(
            "identity:application:entered",
            f"client:{client.client_id}",
            name=client.name,
            scopes=scopes,
            acr=entry.acr,
        ),
    )
    return code if issued else None


@action
def withdraw_consent(work: Work, person_id: UUID, client_id: str) -> bool:
    """End what a person shares with an application, and every token it holds; False where nothing is shared."""
    consent = work.session.scalar(
        select(ApplicationConsent)
        .where(
            ApplicationConsent.person_id == person_id,
            ApplicationConsent.client_id == client_id.replace("\x00", ""),
            ApplicationConsent.withdrawn_at.is_(None),
        )
        .with_for_update()
    )
    if consent is None:
        return False
    consent.withdrawn_at = work.now
    work.session.execute(
        update(Grant)
        .where(
            Grant.person_id == person_id,
            Grant.client_id == client_id,
            Grant.revoked_at.is_(None),
        )
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()
    work.record("identity:consent:withdrawn", f"client:{client_id}")
    return True


@periodic("identity:openid:sweep", "*/10 * * * *")
def sweep() -> None:
    """Remove what can no longer be used, in batches that keep nobody waiting."""
    until_empty(sweep_batch)


@action
def sweep_batch(work: Work) -> int:
    """One batch of each table; the most rows that went from one of them. Tokens go with the sign-in they came of."""
    long_ago = work.now - SWEPT_AFTER
    ended: tuple[tuple[type[Any], ColumnElement[bool]], ...] = (
        (Grant, Grant.kept_until < long_ago),
        (AccessToken, AccessToken.expires_at < long_ago),
        # A used refresh token stays until it would have ended: its second use has to be recognised.
        (RefreshToken, RefreshToken.expires_at < long_ago),
        (PushedRequest, PushedRequest.expires_at < work.now - REQUEST_KEPT),
        (RevokedToken, RevokedToken.expires_at < long_ago),
        (DeviceAuthorization, DeviceAuthorization.expires_at < long_ago),
    )
    return max(remove_batch(work.session, table, condition) for table, condition in ended)


@periodic("identity:registration:sweep", "41 * * * *")
def sweep_unused() -> None:
    """Remove what registered itself in the open sandbox and nobody ever signed in to."""
    while sweep_unused_batch() == UNUSED_AT_A_TIME:
        pass


@action
def sweep_unused_batch(work: Work) -> int:
    """One batch; how many clients were removed. Those in somebody's hands stay."""
    in_use = (exists().where(ApplicationConsent.client_id == CLIENT_ID), is_in_a_policy(CLIENT_ID))
    return remove_open_clients(work, work.now - UNUSED_LIFETIME, UNUSED_AT_A_TIME, *in_use)
