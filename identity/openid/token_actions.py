"""Ending tokens before their time."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from identity.clients.rules import RegisteredClient
from identity.openid.access_tokens import LivingToken
from identity.openid.models import (
    AccessToken,
    ApplicationConsent,
    AuthorizationCode,
    DeviceAuthorization,
    PushedRequest,
    RevokedToken,
)
from identity.openid.revoked import read_again
from kernel.ids import token_hash
from kernel.work import Work, action


@action
def revoke_token(work: Work, client: RegisteredClient, token: str, living: LivingToken) -> None:
    """End one of the client's own tokens; with a refresh token all that came of the same sign-in (RFC 7009 2.1)."""
    if living.is_refresh_token:
        work.session.execute(
            update(AuthorizationCode)
            .where(AuthorizationCode.id == living.grant_id, AuthorizationCode.revoked_at.is_(None))
            .values(revoked_at=work.now)
            .execution_options(synchronize_session=False)
        )
    elif living.token_id is None:
        work.session.execute(delete(AccessToken).where(AccessToken.token_hash == token_hash(token)))
    else:
        work.session.execute(
            insert(RevokedToken)
            .values(token_id=living.token_id, revoked_at=work.now, expires_at=living.expires_at)
            .on_conflict_do_nothing()
        )
    kind = "refresh_token" if living.is_refresh_token else "access_token"
    work.record("identity:token:revoked", f"client:{client.client_id}", kind=kind)
    read_again()


def end_all_of(work: Work, client_id: str) -> None:
    """End whatever a client was given or has begun to ask for, for now it is somebody else's; people are asked anew."""
    for begun in (PushedRequest, DeviceAuthorization):
        work.session.execute(delete(begun).where(begun.client_id == client_id))
    for given, ended_at in (
        (AuthorizationCode, AuthorizationCode.revoked_at),
        (ApplicationConsent, ApplicationConsent.withdrawn_at),
    ):
        work.session.execute(
            update(given)
            .where(given.client_id == client_id, ended_at.is_(None))
            .values({ended_at: work.now})
            .execution_options(synchronize_session=False)
        )
    read_again()
