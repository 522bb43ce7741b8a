"""Applications are told of the end of a session (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from identity.clients.registry.queries import registered_client
from identity.clients.registry.rules import client_party
from identity.openid.tokens.encryption import encrypted_for
from identity.openid.tokens.tokens import logout_token, subject_for
from kernel.base import clock
from kernel.base.ids import new_token
from kernel.jobs.jobs import job
from kernel.outside.deliveries import Delivery, DeliveryKind, Message, Sent, deliver, delivery_kind
from kernel.outside.deliveries_rules import Outcome, Schedule, Status
from kernel.recording.work import Work, action

TOPIC = "session.ended"
AN_HOUR = Schedule(tuple(timedelta(seconds=2**number) for number in range(1, 12)), longest=timedelta(minutes=30))
"""Twelve attempts: an application that is away for longer has other ways to notice that a session is over."""


def tell_logout(work: Work, client_id: str, person_id: str, sid: str, jti: str = "") -> None:
    """Have an application told of the end of a session that it was entered with.

    jti: by it an application knows a logout that reaches it once more (2.6); a new one if none is given.
    """
    arguments = {"client_id": client_id, "person_id": person_id, "sid": sid, "jti": jti or new_token(22)}
    deliver(work, LOGOUT, owner=client_party(client_id), topic=TOPIC, arguments=arguments)


def _make(delivery: Delivery) -> Message | Status:
    """The logout token in its form (2.5), made anew for each attempt because it ends within two minutes."""
    arguments = delivery.arguments
    client = registered_client(arguments["client_id"])
    address = client.options.get("backchannel_logout_uri") if client else None
    if client is None or address is None:
        return Status.CANCELLED
    token = logout_token(
        client, subject_for(client, arguments["person_id"]), arguments["sid"], arguments["jti"], clock.now()
    )
    # 2.4: encrypted as the client's ID tokens are.
    form = urlencode({"logout_token": encrypted_for(client, token, "id_token")}).encode()
    return Message(address, {"Content-Type": "application/x-www-form-urlencoded"}, form)


def _note(work: Work, delivery: Delivery, sent: Sent) -> None:
    """Remember that the application was told, and what it said."""
    if sent.outcome is Outcome.DELIVERED or (sent.status is not None and LOGOUT.is_final(sent.status)):
        arguments = delivery.arguments
        work.record(
            "identity:logout:told", f"client:{arguments['client_id']}", sid=arguments["sid"], status=sent.status
        )


LOGOUT = delivery_kind(
    DeliveryKind(
        "identity:logout-token",
        make=_make,
        schedule=AN_HOUR,
        # 2.8: 200, and what some frameworks make of an empty answer. 400 says that trying again changes nothing.
        is_success=lambda status: status in (200, 204),
        is_final=lambda status: 400 <= status < 500,
        noted=_note,
    )
)


@job("identity:logout:send")
def send_logout(client_id: str, person_id: str, sid: str, jti: str = "") -> None:
    """Tell of a logout that a version before deliveries put off."""
    _take_over(client_id, person_id, sid, jti)


@action
def _take_over(work: Work, client_id: str, person_id: str, sid: str, jti: str) -> None:
    tell_logout(work, client_id, person_id, sid, jti)
