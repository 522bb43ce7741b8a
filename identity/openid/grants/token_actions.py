"""Ending tokens before their time."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from identity.clients.registry.rules import RegisteredClient
from identity.openid.models import (
    AccessToken,
    Grant,
    RevokedToken,
)
from identity.openid.tokens.access_tokens import ActiveToken
from identity.openid.tokens.revocation_cache import read_again
from kernel.base.ids import token_hash
from kernel.recording.work import Work, action


@action
def revoke_token(work: Work, client: RegisteredClient, token: str, active: ActiveToken) -> None:
    """End one of the client's own tokens; with a refresh token all that came of the same sign-in (RFC 7009 2.1)."""
    if active.is_refresh_token:
        work.session.execute(
            update(Grant)
            .where(Grant.id == active.grant_id, Grant.revoked_at.is_(None))
            .values(revoked_at=work.now)
            .execution_options(synchronize_session=False)
        )
    elif active.token_id is None:
        work.session.execute(delete(AccessToken).where(AccessToken.token_hash == token_hash(token)))
    else:
        work.session.execute(
            insert(RevokedToken)
            .values(token_id=active.token_id, revoked_at=work.now, expires_at=active.expires_at)
            .on_conflict_do_nothing()
        )
    kind = "refresh_token" if active.is_refresh_token else "access_token"
    work.record("identity:token:revoked", f"client:{client.client_id}", kind=kind)
    read_again()
