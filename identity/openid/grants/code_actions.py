"""A code exchanged for tokens, once (RFC 6749 4.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, LargeBinary, Text, bindparam, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from identity.clients.registry.rules import RegisteredClient
from identity.openid.grants.authorization_details import check_covered
from identity.openid.grants.grant_actions import (
    Issued,
    Redeemed,
    TokenRequest,
    bound_refresh,
    downscoped,
    issued,
    new_access_token,
    revoke_grants,
)
from identity.openid.models import AccessToken, Grant, RefreshToken
from identity.openid.rules import ACCESS_TOKEN_LIFETIME, REFRESH_TOKEN_LIFETIME, InvalidGrant
from identity.openid.tokens.tokens import audience_or_default
from kernel.base import clock
from kernel.base.ids import new_token, token_hash
from kernel.database.db import session
from kernel.database.prepared import PreparedWrite
from kernel.recording.audit import record_of, recorded
from kernel.recording.work import Work, action


def _redemption() -> PreparedWrite:
    """The code used up, its tokens kept and this recorded, if all that the request says of the code is true; nothing
    otherwise.
    """
    code = Grant
    redeemed = (
        update(code)
        .where(
            code.code_hash == bindparam("code_hash"),
            code.client_id == bindparam("client_id"),
            code.redeemed_at.is_(None),
            code.revoked_at.is_(None),
            code.expires_at > bindparam("now"),
            # RFC 6749 4.1.3: the same redirect_uri as in the authorization request.
            code.redirect_uri == bindparam("redirect_uri"),
            # RFC 7636 4.6, and RFC 9700 4.8.2: a verifier without a challenge is an attempt to downgrade.
            code.code_challenge.is_not_distinct_from(bindparam("code_challenge")),
            # RFC 9449 10: a code bound to a key is redeemed with a proof of that key.
            or_(code.dpop_jkt.is_(None), code.dpop_jkt == bindparam("dpop_jkt")),
            code.scopes.contains(bindparam("wanted_scopes")),
            code.resources.contains(bindparam("wanted_resources")),
        )
        .values(redeemed_at=bindparam("now"))
        .returning(*(getattr(code, name) for name in Redeemed._fields), code.person_id.label("person"))
        .cte("redeemed")
    )
    access = insert(AccessToken).from_select(
        ["token_hash", "code_id", "scopes", "audience", "created_at", "expires_at", "dpop_jkt", "cert_thumbprint"],
        select(
            bindparam("access_hash", type_=LargeBinary),
            redeemed.c.id,
            func.coalesce(bindparam("scopes", type_=JSONB), redeemed.c.scopes),
            # RFC 8707 2.2: what is asked for here, else what was granted; RFC 9068 3: else one by default.
            func.coalesce(
                bindparam("audience", type_=JSONB),
                func.nullif(redeemed.c.resources, literal([], JSONB)),
                bindparam("default_audience", type_=JSONB),
            ),
            bindparam("now", type_=DateTime(timezone=True)),
            bindparam("access_expires_at", type_=DateTime(timezone=True)),
            bindparam("dpop_jkt", type_=Text),
            bindparam("cert_thumbprint", type_=Text),
        ).where(bindparam("is_by_reference", type_=Boolean)),
    )
    refresh = insert(RefreshToken).from_select(
        ["token_hash", "code_id", "dpop_jkt", "cert_thumbprint", "created_at", "expires_at"],
        select(
            bindparam("refresh_hash", type_=LargeBinary),
            redeemed.c.id,
            bindparam("refresh_jkt", type_=Text),
            bindparam("refresh_thumbprint", type_=Text),
            bindparam("now", type_=DateTime(timezone=True)),
            bindparam("refresh_expires_at", type_=DateTime(timezone=True)),
        ).where(redeemed.c.scopes.has_key("offline_access")),
    )
    answer = select(*(redeemed.c[name] for name in Redeemed._fields))
    return PreparedWrite(
        answer.add_cte(access.cte("access"), refresh.cte("refresh")), record=record_of(redeemed, ("person",))
    )


_redeem = _redemption()


@dataclass(frozen=True)
class PresentedCode:
    """A code as a token request presents it. code_challenge: the S256 of the verifier sent, if any."""

    code: str
    redirect_uri: str | None
    code_challenge: str | None


def redeem_code(client: RegisteredClient, presented_code: PresentedCode, wanted: TokenRequest) -> Issued | None:
    """Exchange a code for tokens, once. None for a replay, which has then revoked what the code gave.

    Raises InvalidGrant, InvalidScope, InvalidTarget, InvalidAuthorizationDetails.
    """
    if wanted.details is not None:
        _check_details(client, presented_code.code, wanted.details)
    redeemed = try_redeem(client, presented_code, wanted)
    if redeemed is None:
        _refuse_code(client, presented_code, wanted)
    return redeemed


def try_redeem(client: RegisteredClient, presented_code: PresentedCode, wanted: TokenRequest) -> Issued | None:
    """Redeem a code for a request in which everything is right; None for any other, and then nothing has been done."""
    now, constraint = clock.now(), wanted.constraint
    access_token, refresh_token = new_access_token(client, wanted), new_token()
    row = _redeem(
        code_hash=token_hash(presented_code.code),
        client_id=client.client_id,
        redirect_uri=presented_code.redirect_uri,
        code_challenge=presented_code.code_challenge,
        wanted_scopes=sorted(wanted.scopes or ()),
        wanted_resources=list(wanted.resources),
        now=now,
        is_by_reference=access_token is not None,
        access_hash=token_hash(access_token or ""),
        scopes=sorted(wanted.scopes) if wanted.scopes is not None else None,
        audience=list(wanted.resources) or None,
        default_audience=audience_or_default(()),
        access_expires_at=now + ACCESS_TOKEN_LIFETIME,
        dpop_jkt=constraint.dpop_jkt,
        cert_thumbprint=constraint.cert_thumbprint,
        refresh_hash=token_hash(refresh_token),
        refresh_jkt=bound_refresh(client, constraint).dpop_jkt,
        refresh_thumbprint=bound_refresh(client, constraint).cert_thumbprint,
        refresh_expires_at=now + REFRESH_TOKEN_LIFETIME,
        **recorded("identity:code:redeemed", f"client:{client.client_id}"),
    )
    if row is None:
        return None
    redeemed = Redeemed(*row)
    kept_refresh_token = refresh_token if "offline_access" in redeemed.scopes else None
    return issued(client, redeemed, wanted, now, access_token, kept_refresh_token, redeemed.nonce)


def _check_details(client: RegisteredClient, code: str, wanted: Sequence[dict[str, Any]]) -> None:
    """Before the code is used up, and only where details are named. Raises InvalidAuthorizationDetails."""
    query = select(Grant.authorization_details).where(
        Grant.code_hash == token_hash(code), Grant.client_id == client.client_id
    )
    granted = session().scalar(query)
    if granted is not None:
        check_covered(wanted, granted)


@action
def _refuse_code(work: Work, client: RegisteredClient, presented_code: PresentedCode, wanted: TokenRequest) -> None:
    """Say why a code was not redeemed. Raises InvalidGrant, InvalidScope, InvalidTarget, but not for a replay."""
    known = work.session.scalar(
        select(Grant).where(Grant.code_hash == token_hash(presented_code.code), Grant.client_id == client.client_id)
    )
    if known is not None and known.redeemed_at is not None:
        # RFC 6749 4.1.2: a code works once; a replay revokes what it gave.
        revoke_grants(work, [known.id])
        work.record("identity:code:replayed", f"client:{client.client_id}", person=str(known.person_id))
        return
    if known is None:
        raise InvalidGrant("The code is unknown, has expired, or was given to another client.")
    check_redeemable(known, presented_code, wanted, work.now)
    raise InvalidGrant("The code cannot be redeemed.")


def check_redeemable(known: Grant, presented_code: PresentedCode, wanted: TokenRequest, now: datetime) -> None:
    """Decide what the statement of `try_redeem` decides of a code that nobody has redeemed, and say why not.

    Raises InvalidGrant, InvalidScope, InvalidTarget, InvalidAuthorizationDetails.
    """
    if known.revoked_at is not None or known.expires_at <= now:
        raise InvalidGrant("The code is unknown, has expired, or was given to another client.")
    if presented_code.redirect_uri != known.redirect_uri:
        raise InvalidGrant("The redirect_uri is not the one of the authorization request.")
    _check_challenge(known.code_challenge, presented_code.code_challenge)
    if known.dpop_jkt is not None and known.dpop_jkt != wanted.constraint.dpop_jkt:
        raise InvalidGrant("The code is bound to another DPoP key.")
    downscoped(known, wanted)


def _check_challenge(expected: str | None, challenge: str | None) -> None:
    if expected is None and challenge is not None:
        raise InvalidGrant("There is a code_verifier, but the authorization request had no code_challenge.")
    if expected is not None and challenge is None:
        raise InvalidGrant("The code_verifier is missing.")
    if expected != challenge:
        raise InvalidGrant("The code_verifier does not match the code_challenge.")
