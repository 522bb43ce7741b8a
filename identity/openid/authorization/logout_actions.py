"""Applications are told of the end of a session (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from urllib.parse import urlencode

from identity.clients.registry.queries import registered_client
from identity.openid.tokens.encryption import encrypted_for
from identity.openid.tokens.tokens import logout_token, subject_for
from kernel.base import clock
from kernel.base.errors import BadGateway
from kernel.base.ids import new_token
from kernel.jobs.jobs import job
from kernel.outside import outbound
from kernel.recording.work import Work, action, release_connection

WAITS_SECONDS = 5.0
MAX_ANSWER_BYTES = 20_000


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
    release_connection()
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
