"""Devices without a browser (RFC 8628): what they ask for, what the person says, and the tokens they come for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, select

from identity.authentication.sessions.queries import SignIn
from identity.clients.registry.rules import RegisteredClient
from identity.openid.grants.device_codes import format_user_code, new_user_code, user_code_hash
from identity.openid.grants.grant_actions import Issued, TokenRequest, issue, revoke_grants
from identity.openid.grants.step_up import achieved_acr
from identity.openid.models import DeviceAuthorization, Grant
from identity.openid.rules import InvalidGrant, lifetime, to_agree_to
from identity.openid.tokens.consents import remember_consent
from kernel.base.ids import new_id, new_token, token_hash
from kernel.base.installation import settings
from kernel.recording.work import Work, action

if TYPE_CHECKING:
    from identity.openid.authorization.authorization_request import AuthorizationRequest

DEVICE_CODE_LIFETIME = timedelta(minutes=10)
INTERVAL_SECONDS = 5


@dataclass(frozen=True)
class Started:
    """The answer to a device that begins, which it shows in part."""

    device_code: str
    user_code: str


class NotYet(StrEnum):
    """Why a device gets no tokens now (RFC 8628 3.5)."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired_token"
    DENIED = "access_denied"
    REPLAYED = "invalid_grant"


@action
def start_device(work: Work, auth_request: AuthorizationRequest) -> Started:
    """Keep what a device asks for, which the checks have passed, and give it its two codes."""
    device_code, user_code = new_token(), new_user_code()
    work.session.execute(
        delete(DeviceAuthorization).where(
            DeviceAuthorization.user_code_hash == user_code_hash(settings().master_key, user_code),
            DeviceAuthorization.expires_at < work.now,
        )
    )
    work.add(
        DeviceAuthorization(
            device_code_hash=token_hash(device_code),
            user_code_hash=user_code_hash(settings().master_key, user_code),
            client_id=auth_request.client.client_id,
            scopes=sorted(auth_request.scopes),
            resources=list(auth_request.resources),
            authorization_details=list(auth_request.authorization_details),
            acr_values=list(auth_request.acr_values),
            max_age=auth_request.max_age,
            created_at=work.now,
            expires_at=work.now + DEVICE_CODE_LIFETIME,
            interval=INTERVAL_SECONDS,
        )
    )
    return Started(device_code, format_user_code(user_code))


@action
def decide_device(work: Work, device_id: UUID, sign_in: SignIn, client: RegisteredClient, *, allowed: bool) -> bool:
    """Remember what the person said, once; False where somebody did before, or the time is over."""
    authorization = work.session.scalar(
        select(DeviceAuthorization)
        .where(
            DeviceAuthorization.id == device_id,
            DeviceAuthorization.decision.is_(None),
            DeviceAuthorization.expires_at > work.now,
        )
        .with_for_update()
    )
    if authorization is None:
        return False
    authorization.decision = "allow" if allowed else "deny"
    authorization.person_id, authorization.sid = sign_in.person.id, sign_in.sid
    authorization.authenticated_at, authorization.amr = sign_in.authenticated_at, list(sign_in.amr)
    authorization.acr = achieved_acr(sign_in.acr, authorization.acr_values, is_essential=False)
    subject = f"client:{client.client_id}"
    if allowed:
        agreed = to_agree_to(authorization.scopes, authorization.scopes, client.has_claims_in_id_token)
        remember_consent(
            work, sign_in.person.id, authorization.client_id, sorted(agreed), authorization.authorization_details
        )
        work.record("identity:consent:given", subject, scopes=authorization.scopes, name=client.name, device=True)
    else:
        work.record("identity:consent:denied", subject, scopes=authorization.scopes, name=client.name, device=True)
    return True


@action
def redeem_device_code(work: Work, client: RegisteredClient, device_code: str, wanted: TokenRequest) -> Issued | NotYet:
    """Tokens for a device whose person agreed, once; or why there are none yet. Raises InvalidGrant, InvalidTarget."""
    authorization = work.session.scalar(
        select(DeviceAuthorization)
        .where(
            DeviceAuthorization.device_code_hash == token_hash(device_code),
            DeviceAuthorization.client_id == client.client_id,
        )
        .with_for_update()
    )
    if authorization is None:
        raise InvalidGrant("The device_code is unknown, or was given to another client.")
    if authorization.redeemed_at is not None:
        return _replayed(work, client, authorization)
    if authorization.expires_at <= work.now:
        return NotYet.EXPIRED
    if _is_too_soon(work, authorization):
        # RFC 8628 3.5: from now on five seconds more.
        authorization.interval += INTERVAL_SECONDS
        authorization.asked_at = work.now
        return NotYet.SLOW_DOWN
    authorization.asked_at = work.now
    if authorization.decision is None:
        return NotYet.PENDING
    if authorization.decision == "deny":
        return NotYet.DENIED
    authorization.redeemed_at = work.now
    entered = _entered(work, client, authorization)
    subject = f"client:{client.client_id}"
    work.record("identity:application:entered", subject, name=client.name, device=True)
    work.record("identity:code:redeemed", subject, person=str(authorization.person_id), device=True)
    return issue(work, client, entered, wanted)


def _is_too_soon(work: Work, authorization: DeviceAuthorization) -> bool:
    # The first second is forgiven: clocks and networks are not exact.
    patience = timedelta(seconds=authorization.interval - 1)
    return authorization.asked_at is not None and work.now - authorization.asked_at < patience


def _replayed(work: Work, client: RegisteredClient, authorization: DeviceAuthorization) -> NotYet:
    """RFC 6749 4.1.2, for a device code as for any other: it works once, and a replay revokes what it gave."""
    given = work.session.scalar(select(Grant.id).where(Grant.code_hash == authorization.device_code_hash))
    if given is not None:
        revoke_grants(work, [given])
    work.record("identity:code:replayed", f"client:{client.client_id}", person=str(authorization.person_id))
    return NotYet.REPLAYED


def _entered(work: Work, client: RegisteredClient, authorization: DeviceAuthorization) -> Grant:
    """The sign-in that the tokens come from: as if a code had been given and redeemed in one."""
    entered = Grant(
        id=new_id(),
        code_hash=authorization.device_code_hash,
        client_id=client.client_id,
        person_id=authorization.person_id,
        redirect_uri="",
        scopes=authorization.scopes,
        resources=authorization.resources,
        authorization_details=authorization.authorization_details,
        claims={},
        sid=authorization.sid,
        authenticated_at=authorization.authenticated_at,
        acr=authorization.acr,
        amr=authorization.amr,
        created_at=work.now,
        expires_at=work.now,
        redeemed_at=work.now,
        kept_until=work.now + lifetime(authorization.scopes),
    )
    work.add(entered)
    work.session.flush()
    return entered
