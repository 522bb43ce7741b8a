"""Every event that a server can subscribe to is sent as its example says, and to those who may know of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from builders.catalogue import AUTHORITY, CONSUMER, OWNER, a_published_service, a_request, an_agreement, an_official
from builders.clients import a_client, a_client_in_use
from builders.interoperability import Network
from flask import Flask
from sqlalchemy import select

from catalogue.agreements.actions import transition
from catalogue.agreements.rules import Transition
from identity.agencies.actions import create_agency
from identity.clients.client_reviews import actions as reviews
from identity.clients.client_reviews.queries import get_pending
from identity.clients.client_secrets.rules import SECRET_LIFETIME
from identity.clients.expiry.actions import warn_of_ends
from identity.clients.registry.actions import revoke_client
from identity.clients.registry.queries import any_client
from kernel.base import clock
from kernel.base.installation import settings
from kernel.database.db import session
from kernel.jobs.access import AgencyRef, Principal, act_as
from kernel.outside.deliveries import Delivery
from kernel.outside.deliveries_events import EVENT_TYPES, OutgoingEvent
from kernel.outside.deliveries_subscriptions import SubscriptionFacts, create_subscription

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/webhooks.md"
OPERATOR = Principal(kind="operator", id="test", name="El operador")
PARTIES, EVERYBODY = {"agency:AE001", "agency:AE002"}, {"agency:AE001", "agency:AE002", "agency:AE003"}
OWNERS = {"agency:AE001"}
Cause = Callable[[Flask, Network], None]


def acting(change: Callable[[], object]) -> Cause:
    """A cause in an application context of its own."""

    def cause(app: Flask, _network: Network) -> None:
        with app.app_context():
            act_as(OPERATOR)
            change()

    return cause


def stepped(*steps: Transition) -> Cause:
    def change() -> None:
        agreement = a_request()
        owner = an_official(OWNER)
        act_as(owner)
        for step in steps:
            transition(owner, agreement.code, step, "Por una razón.")

    return acting(change)


def communication(answer: str = "") -> Cause:
    def cause(_app: Flask, network: Network) -> None:
        code = network.sent()
        if answer:
            body = {"reason": "No corresponde."} if answer == "rejection" else None
            sent = network.post("AE002", f"/communications/{code}/{answer}", json=body)
            assert sent.status_code < 300, sent.text

    return cause


def waiting(change: bool) -> str:
    client_id = str(a_client_in_use("https://a.example.cl/").client.client_id)
    act_as(Principal(kind="official", id="1", name="Ana", agency=AgencyRef("AE001", "AE001")))
    if change:
        reviews.change_fields(any_client(client_id), name="Otro nombre")
    act_as(OPERATOR)
    return client_id


def approved() -> None:
    client_id = waiting(change=True)
    reviews.approve(client_id, get_pending(client_id).fingerprint)


def returned() -> None:
    reviews.give_back(waiting(change=True), "Falta el fundamento.")


def expiring() -> None:
    waiting(change=False)
    with clock.shifted(SECRET_LIFETIME - timedelta(days=20)):
        warn_of_ends()


def revoked() -> None:
    revoke_client(a_client("standard", owner="agency:AE001").client.client_id)


CAUSES: dict[str, tuple[Cause, set[str]]] = {
    "agreement.requested": (acting(a_request), PARTIES),
    "agreement.activated": (stepped(Transition.APPROVE), PARTIES),
    "agreement.refused": (stepped(Transition.REFUSE), PARTIES),
    "agreement.suspended": (stepped(Transition.APPROVE, Transition.SUSPEND), PARTIES),
    "agreement.ended": (stepped(Transition.APPROVE, Transition.END), PARTIES),
    "service.published": (acting(a_published_service), EVERYBODY),
    "communication.received": (communication(), {"agency:AE002"}),
    "communication.acknowledged": (communication("acknowledgement"), PARTIES),
    "communication.rejected": (communication("rejection"), PARTIES),
    "client.approved": (acting(approved), OWNERS),
    "client.refused": (acting(returned), OWNERS),
    "client.credentials_expiring": (acting(expiring), OWNERS),
    "client.revoked": (acting(revoked), OWNERS),
}


def test_every_type_has_a_cause(app: Flask) -> None:
    assert EVENT_TYPES.of(app).keys() == CAUSES.keys()


def test_every_type_is_described_in_the_papers(app: Flask) -> None:
    described = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert described == list(EVENT_TYPES.of(app))


@pytest.mark.parametrize("name", CAUSES)
def test_an_event_is_as_its_example_says_and_goes_to_those_who_may_know(app: Flask, name: str) -> None:
    cause, told = CAUSES[name]
    network = Network(app)
    with app.app_context():
        act_as(OPERATOR)
        create_agency(AUTHORITY.code, AUTHORITY.name, is_authority=True)
        for owner in sorted(EVERYBODY):
            create_subscription(owner, SubscriptionFacts("Todo", "https://hooks.example.cl/", (name,)))
        assert {OWNER.code, CONSUMER.code} == {"AE001", "AE002"}
    cause(app, network)
    with app.app_context():
        events = session().scalars(select(OutgoingEvent).where(OutgoingEvent.type == name)).all()
        assert len(events) == 1
        example = EVENT_TYPES.of(app)[name].example
        [event] = events
        assert {key: type(value) for key, value in event.data.items()} == {
            key: type(value) for key, value in example.items()
        }
        generic = str(example["href"]).replace("https://cordillera.example", settings().base_url)
        assert re.sub(r"[0-9a-f]{32}|\d{4}-\d{6}|\d{6}$", "", event.data["href"]) == re.sub(
            r"[0-9a-f]{32}|\d{4}-\d{6}|\d{6}$", "", generic
        )
        assert {one.owner for one in session().scalars(select(Delivery))} == told


def test_an_agreement_that_goes_on_is_in_force_again(app: Flask) -> None:
    Network(app)
    with app.app_context():
        act_as(OPERATOR)
        create_agency(AUTHORITY.code, AUTHORITY.name, is_authority=True)
        types = ("agreement.activated",)
        create_subscription("agency:AE002", SubscriptionFacts("Todo", "https://hooks.example.cl/", types))
        agreement = an_agreement()
        owner = an_official(OWNER)
        for step in (Transition.SUSPEND, Transition.RESUME):
            transition(owner, agreement.code, step, "Por una razón.")
        assert session().scalars(select(OutgoingEvent.type)).all() == [*types, *types]
