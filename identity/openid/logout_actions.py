"""The end of a session and of a password, as applications learn it (OIDC Back-Channel Logout 1.0, RFC 9700 4.14.2)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import or_, select, update

from identity.clients.models import Client
from identity.clients.queries import registered_client
from identity.openid.encryption import encrypted_for
from identity.openid.models import AuthorizationCode
from identity.openid.revoked import read_again
from identity.openid.tokens import logout_token, subject_for
from kernel import clock, outbound
from kernel.errors import BadGateway
from kernel.ids import new_token
from kernel.jobs import job
from kernel.work import Work, action, let_go

WAITS_SECONDS = 5.0
MAX_ANSWER_BYTES = 20_000


def sessions_ended(work: Work, sids: Sequence[str], by_time: bool) -> None:
    """Tell every application entered with these sessions, and end what they were given if the person left.

    OIDC Back-Channel Logout 2.7: what was given for use while the person is away (`offline_access`) stays.
    """
    if not sids:
        return
    _tell_applications(work, sids)
    if by_time:
        return
    work.session.execute(
        update(AuthorizationCode)
        .where(
            AuthorizationCode.sid.in_(sids),
            AuthorizationCode.revoked_at.is_(None),
            or_(AuthorizationCode.redeemed_at.is_(None), ~AuthorizationCode.scopes.contains(["offline_access"])),
        )
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()


def _tell_applications(work: Work, sids: Sequence[str]) -> None:
    entered = (
        select(AuthorizationCode.sid, AuthorizationCode.client_id, AuthorizationCode.person_id)
        .join(Client, Client.client_id == AuthorizationCode.client_id)
        .where(
            AuthorizationCode.sid.in_(sids),
            AuthorizationCode.redeemed_at.is_not(None),
            Client.revoked_at.is_(None),
            Client.options.has_key("backchannel_logout_uri"),
        )
        .distinct()
    )
    for sid, client_id, person_id in work.session.execute(entered).all():
        # 2.6: by its jti an application knows a logout that reaches it once more.
        work.defer(send_logout, client_id=client_id, person_id=str(person_id), sid=sid, jti=new_token(22))


def password_changed(work: Work, person_id: UUID) -> None:
    """End everything that applications hold in the person's name: the old password may have been stolen."""
    work.session.execute(
        update(AuthorizationCode)
        .where(AuthorizationCode.person_id == person_id, AuthorizationCode.revoked_at.is_(None))
        .values(revoked_at=work.now)
        .execution_options(synchronize_session=False)
    )
    read_again()


@job("identity:logout:send")
def send_logout(client_id: str, person_id: str, sid: str, jti: str = "") -> None:
    """Send the logout token to the application (2.5). Raises where it did not arrive, to be tried again.

    jti: empty in jobs of a version that made one each time.
    """
    client = registered_client(client_id)
    address = client.options.get("backchannel_logout_uri") if client else None
    if client is None or address is None:
        return
    token = logout_token(client, subject_for(client, person_id), sid, jti or new_token(22), clock.now())
    # 2.4: encrypted as the client's ID tokens are.
    form = urlencode({"logout_token": encrypted_for(client, token, "id_token")}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
    let_go()
    response = outbound.send("POST", address, headers=headers, content=form, timeout=WAITS_SECONDS)
    status = response.status_code
    outbound.read(response, MAX_ANSWER_BYTES)
    # 2.8: 200, and what some frameworks make of an empty answer. 400 says that trying again changes nothing.
    if status not in (200, 204) and not 400 <= status < 500:
        raise BadGateway(log=f"{client_id} answered a logout with {status}")
    note_logout_sent(client_id, sid, status)


@action
def note_logout_sent(work: Work, client_id: str, sid: str, status: int) -> None:
    """Remember that the application was told, and what it said."""
    work.record("identity:logout:told", f"client:{client_id}", sid=sid, status=status)
