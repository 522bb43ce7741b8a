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
from identity.openid.grants.device_codes import new_user_code, shown, user_code_hash
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
def start_device(work: Work, asked: AuthorizationRequest) -> Started:
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
            client_id=asked.client.client_id,
            scopes=sorted(asked.scopes),
            resources=list(asked.resources),
            authorization_details=list(asked.authorization_details),
            acr_values=list(asked.acr_values),
            max_age=asked.max_age,
            created_at=work.now,
            expires_at=work.now + DEVICE_CODE_LIFETIME,
            interval=INTERVAL_SECONDS,
        )
    )
    return Started(device_code, shown(user_code))


@action
def decide_device(work: Work, device_id: UUID, sign_in: SignIn, client: RegisteredClient, *, allowed: bool) -> bool:
    """Remember what the person said, once; False where somebody did before, or the time is over."""
    asked = work.session.scalar(
        select(DeviceAuthorization)
        .where(
            DeviceAuthorization.id == device_id,
            DeviceAuthorization.decision.is_(None),
            DeviceAuthorization.expires_at > work.now,
        )
        .with_for_update()
    )
    if asked is None:
        return False
    asked.decision = "allow" if allowed else "deny"
    asked.person_id, asked.sid = sign_in.person.id, sign_in.sid
    asked.authenticated_at, asked.amr = sign_in.authenticated_at, list(sign_in.amr)
    asked.acr = achieved_acr(sign_in.acr, asked.acr_values, is_essential=False)
    subject = f"client:{client.client_id}"
    if allowed:
        agreed = to_agree_to(asked.scopes, asked.scopes, client.has_claims_in_id_token)
        remember_consent(work, sign_in.person.id, asked.client_id, sorted(agreed), asked.authorization_details)
        work.record("identity:consent:given", subject, scopes=asked.scopes, name=client.name, device=True)
    else:
        work.record("identity:consent:denied", subject, scopes=asked.scopes, name=client.name, device=True)
    return True


@action
def redeem_device_code(work: Work, client: RegisteredClient, device_code: str, wanted: TokenRequest) -> Issued | NotYet:
    """Tokens for a device whose person agreed, once; or why there are none yet. Raises InvalidGrant, InvalidTarget."""
    asked = work.session.scalar(
        select(DeviceAuthorization)
        .where(
            DeviceAuthorization.device_code_hash == token_hash(device_code),
            DeviceAuthorization.client_id == client.client_id,
        )
        .with_for_update()
    )
    if asked is None:
        raise InvalidGrant("The device_code is unknown, or was given to another client.")
    if asked.redeemed_at is not None:
        return _replayed(work, client, asked)
    if asked.expires_at <= work.now:
        return NotYet.EXPIRED
    if _is_too_soon(work, asked):
        # RFC 8628 3.5: from now on five seconds more.
        asked.interval += INTERVAL_SECONDS
        asked.asked_at = work.now
        return NotYet.SLOW_DOWN
    asked.asked_at = work.now
    if asked.decision is None:
        return NotYet.PENDING
    if asked.decision == "deny":
        return NotYet.DENIED
    asked.redeemed_at = work.now
    entered = _entered(work, client, asked)
    subject = f"client:{client.client_id}"
    work.record("identity:application:entered", subject, name=client.name, device=True)
    work.record("identity:code:redeemed", subject, person=str(asked.person_id), device=True)
    return issue(work, client, entered, wanted)


def _is_too_soon(work: Work, asked: DeviceAuthorization) -> bool:
    # The first second is forgiven: clocks and networks are not exact.
    patience = timedelta(seconds=asked.interval - 1)
    return asked.asked_at is not None and work.now - asked.asked_at < patience


def _replayed(work: Work, client: RegisteredClient, asked: DeviceAuthorization) -> NotYet:
    """RFC 6749 4.1.2, for a device code as for any other: it works once, and a replay revokes what it gave."""
    given = work.session.scalar(select(Grant.id).where(Grant.code_hash == asked.device_code_hash))
    if given is not None:
        revoke_grants(work, [given])
    work.record("identity:code:replayed", f"client:{client.client_id}", person=str(asked.person_id))
    return NotYet.REPLAYED


def _entered(work: Work, client: RegisteredClient, asked: DeviceAuthorization) -> Grant:
    """The sign-in that the tokens come from: as if a code had been given and redeemed in one."""
    entered = Grant(
        id=new_id(),
        code_hash=asked.device_code_hash,
        client_id=client.client_id,
        person_id=asked.person_id,
        redirect_uri="",
        scopes=asked.scopes,
        resources=asked.resources,
        authorization_details=asked.authorization_details,
        claims={},
        sid=asked.sid,
        authenticated_at=asked.authenticated_at,
        acr=asked.acr,
        amr=asked.amr,
        created_at=work.now,
        expires_at=work.now,
        redeemed_at=work.now,
        kept_until=work.now + lifetime(asked.scopes),
    )
    work.add(entered)
    work.session.flush()
    return entered
