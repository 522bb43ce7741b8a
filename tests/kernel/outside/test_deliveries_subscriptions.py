"""Subscriptions: each event to those who subscribed and may know of it, signed, and disabled after days of failure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from builders.receiver import Answer, Arrival, Receiver, a_receiver, bring_forward
from flask import Flask
from sqlalchemy import func, select
from standardwebhooks import Webhook, WebhookVerificationError

from kernel.base import clock
from kernel.base.errors import Invalid, NotFound
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as
from kernel.jobs.jobs import run_worker
from kernel.outside.deliveries import Delivery, attempt
from kernel.outside.deliveries_events import EventType, OutgoingEvent, install_event_types
from kernel.outside.deliveries_lists import replay as replay_delivery
from kernel.outside.deliveries_subscriptions import (
    MOST,
    NewSecret,
    NotActive,
    Subscription,
    TooManySubscriptions,
    change_subscription,
    create_subscription,
    delete_subscription,
    pause,
    prepare_subscription,
    replay,
    resume,
    rotate_secret,
    subscriptions_page,
)
from kernel.outside.deliveries_webhooks import publish, send_test
from kernel.recording.work import Work, action

OURS, THEIRS = "agency:AE001", "agency:AE002"
HAPPENED = EventType("thing.happened", "A thing happened", "When it does", {"thing": "T-1"})
ENDED = EventType("thing.ended", "A thing ended", "When it does", {"thing": "T-1"}, of_clients=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    return replace(settings, outbound_allowed=frozenset({receiver.address}))


@pytest.fixture
def app(app: Flask) -> Flask:
    install_event_types(app, [HAPPENED, ENDED])
    return app


@pytest.fixture
def here(app: Flask) -> Iterator[None]:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        yield


def subscribed(receiver: Receiver, owner: str = OURS, path: str = "/hook", *types: str) -> NewSecret:
    facts = prepare_subscription("Avisos", receiver.url(path), types or [HAPPENED.name], of_client=False)
    return create_subscription(owner, facts)


@action
def happen(work: Work, to: list[str] | None, name: str = HAPPENED.name) -> None:
    publish(work, name, {"thing": "T-1"}, to=to)


def verified(arrival: Arrival, secret: str) -> dict[str, object]:
    found: dict[str, object] = Webhook(secret).verify(arrival.body, arrival.headers)
    return found


def statuses() -> list[str]:
    session().rollback()
    return list(session().scalars(select(Delivery.status).order_by(Delivery.id)))


def state(made: NewSecret) -> tuple[str, str]:
    found = session().get_one(Subscription, made.subscription.id, populate_existing=True)
    return found.state, found.reason


def fail_until_given_up() -> None:
    """Make every attempt of the newest delivery, each at its time."""
    offset = timedelta()
    for _ in range(20):
        session().rollback()
        newest = session().scalars(select(Delivery).order_by(Delivery.id.desc()).limit(1)).one()
        if newest.status != "pending" or newest.next_attempt_at is None:
            return
        offset = max(offset, newest.next_attempt_at - clock.now())
        with clock.shifted(offset):
            attempt(str(newest.id), newest.ticket)


def test_an_event_is_signed_so_that_the_library_and_the_letter_of_the_standard_agree(
    app: Flask, here: None, receiver: Receiver
) -> None:
    made = subscribed(receiver)
    happen([OURS])
    run_worker(app, until_empty=True)
    [arrival] = receiver.requests
    payload = verified(arrival, made.secret)
    assert set(payload) == {"type", "timestamp", "data"}
    assert (payload["type"], payload["data"]) == ("thing.happened", {"thing": "T-1"})
    assert str(payload["timestamp"]).endswith("Z")
    assert arrival.headers["Content-Type"] == "application/json"
    # Standard Webhooks, "Verifying signatures", by hand.
    key = base64.b64decode(made.secret.removeprefix("whsec_"))
    named = (arrival.headers["webhook-id"], arrival.headers["webhook-timestamp"], arrival.body.decode())
    digest = hmac.new(key, ".".join(named).encode(), hashlib.sha256).digest()
    assert arrival.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert len(key) == 32
    with pytest.raises(WebhookVerificationError):
        verified(replace(arrival, body=arrival.body + b" "), made.secret)


def test_an_event_goes_to_those_who_may_know_and_subscribed(app: Flask, here: None, receiver: Receiver) -> None:
    subscribed(receiver, OURS, "/ours")
    subscribed(receiver, THEIRS, "/theirs")
    subscribed(receiver, OURS, "/ended", ENDED.name)
    happen([OURS])
    run_worker(app, until_empty=True)
    assert [one.path for one in receiver.requests] == ["/ours"]
    happen(None)
    for _ in range(3):
        run_worker(app, until_empty=True)
        bring_forward(app)
    assert sorted(one.path for one in receiver.requests) == ["/ours", "/ours", "/theirs"]
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == 3


def test_an_event_that_nobody_subscribed_to_is_not_kept(here: None) -> None:
    happen(None)
    assert session().scalar(select(func.count()).select_from(OutgoingEvent)) == 0


def test_both_secrets_sign_for_a_day_after_a_rotation(app: Flask, here: None, receiver: Receiver) -> None:
    old = subscribed(receiver)
    new = rotate_secret([OURS], old.subscription.id)
    happen([OURS])
    run_worker(app, until_empty=True)
    for made in (old, new):
        assert verified(receiver.requests[0], made.secret)["type"] == "thing.happened"
    assert len(receiver.requests[0].headers["webhook-signature"].split()) == 2
    with clock.shifted(timedelta(hours=25)):
        happen([OURS])
        newest = session().scalars(select(Delivery).order_by(Delivery.id.desc()).limit(1)).one()
        attempt(str(newest.id), newest.ticket)
    assert len(receiver.requests[1].headers["webhook-signature"].split()) == 1


def test_a_secret_is_sealed_and_belongs_to_its_subscription(here: None, receiver: Receiver) -> None:
    made = subscribed(receiver)
    plain = base64.b64decode(made.secret.removeprefix("whsec_"))
    sealed = session().scalars(select(Subscription.sealed_secret)).one()
    assert plain not in sealed


def test_what_happens_during_a_pause_is_held_until_somebody_asks_for_it(
    app: Flask, here: None, receiver: Receiver
) -> None:
    made = subscribed(receiver)
    before = clock.now() - timedelta(minutes=1)
    happen([OURS])
    for _ in range(2):
        pause([OURS], made.subscription.id)
    happen([OURS])
    run_worker(app, until_empty=True)
    assert (receiver.requests, statuses()) == ([], ["held", "held"])
    for refused in (send_test, lambda owners, own: replay(owners, own, before, only_failed=True)):
        with pytest.raises(NotActive):
            refused([OURS], made.subscription.id)
    resume([OURS], made.subscription.id)
    replay([OURS], made.subscription.id, before, only_failed=True)
    for _ in range(4):
        run_worker(app, until_empty=True)
        bring_forward(app)
    assert statuses() == ["delivered", "delivered"]
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(("only_failed", "again"), [(True, 1), (False, 3)])
def test_everything_since_a_time_is_sent_again_under_its_old_name(
    app: Flask, here: None, receiver: Receiver, only_failed: bool, again: int
) -> None:
    made = subscribed(receiver)
    receiver.answers = [Answer(200), Answer(500)]
    happen([OURS])
    run_worker(app, until_empty=True)
    happen([OURS])
    run_worker(app, until_empty=True)
    fail_until_given_up()
    resume([OURS], made.subscription.id)
    receiver.requests.clear()
    assert statuses() == ["delivered", "delivered"]
    happen([OURS])
    pause([OURS], made.subscription.id)
    run_worker(app, until_empty=True)
    resume([OURS], made.subscription.id)
    replay([OURS], made.subscription.id, clock.now() - timedelta(hours=1), only_failed=only_failed)
    for _ in range(5):
        run_worker(app, until_empty=True)
        bring_forward(app)
    assert len(receiver.requests) == again
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == len(receiver.requests)


def test_410_disables_at_once_and_what_waits_is_held(app: Flask, here: None, receiver: Receiver) -> None:
    made = subscribed(receiver)
    receiver.answers = [Answer(410)]
    happen([OURS])
    run_worker(app, until_empty=True)
    assert state(made) == ("disabled", "gone")
    happen([OURS])
    run_worker(app, until_empty=True)
    assert statuses() == ["failed", "held"]
    assert len(receiver.requests) == 1


def test_a_server_that_fails_for_days_is_disabled(app: Flask, here: None, receiver: Receiver) -> None:
    made = subscribed(receiver)
    receiver.answers = [Answer(500)] * 40
    happen([OURS])
    fail_until_given_up()
    assert statuses() == ["failed"]
    assert state(made) == ("disabled", "failing")
    assert len(receiver.requests) == 10


def test_one_delivery_that_fails_among_others_that_arrive_disables_nothing(
    app: Flask, here: None, receiver: Receiver
) -> None:
    made = subscribed(receiver)
    receiver.answers = [Answer(500)] * 9
    happen([OURS])
    failing = session().scalars(select(Delivery)).one()
    for _ in range(9):
        session().refresh(failing)
        assert failing.next_attempt_at is not None
        with clock.shifted(max(failing.next_attempt_at - clock.now(), timedelta())):
            attempt(str(failing.id), failing.ticket)
    send_test([OURS], made.subscription.id)
    run_worker(app, until_empty=True)
    receiver.answers = [Answer(500)]
    session().refresh(failing)
    assert failing.next_attempt_at is not None
    with clock.shifted(failing.next_attempt_at - clock.now()):
        attempt(str(failing.id), failing.ticket)
    assert statuses() == ["failed", "delivered"]
    assert state(made) == ("active", "")


def test_what_belongs_to_a_deleted_subscription_is_cancelled(app: Flask, here: None, receiver: Receiver) -> None:
    made = subscribed(receiver)
    happen([OURS])
    delete_subscription([OURS], made.subscription.id)
    run_worker(app, until_empty=True)
    assert (receiver.requests, statuses()) == ([], ["cancelled"])


def test_nobody_else_finds_a_subscription(app: Flask, here: None, receiver: Receiver) -> None:
    own = subscribed(receiver).subscription
    facts = prepare_subscription("Otra", receiver.url(), [HAPPENED.name], of_client=False)
    assert subscriptions_page([THEIRS]).items == []
    happen([OURS])
    sent = session().scalars(select(Delivery)).one()
    for refused in (
        lambda: change_subscription([THEIRS], own.id, facts),
        lambda: rotate_secret([THEIRS], own.id),
        lambda: pause([THEIRS], own.id),
        lambda: resume([THEIRS], own.id),
        lambda: send_test([THEIRS], own.id),
        lambda: replay([THEIRS], own.id, clock.now(), only_failed=False),
        lambda: delete_subscription([THEIRS], own.id),
        lambda: replay_delivery([THEIRS], sent.id),
    ):
        with pytest.raises(NotFound):
            refused()
    assert state(NewSecret(own, "")) == ("active", "")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.cl",
        "http://hooks.example.cl/",
        "ftp://hooks.example.cl/",
        "https:///hook",
        "https://hooks.example.cl:99999/",
        "https://hooks.example.cl/#a",
        "https://hooks.example.cl/a b",
        "https://hooks.example.cl/ñ",
        "https://127.0.0.1/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://[::1]/hook",
        "http://localhost:1/hook",
        "https://user:password@hooks.example.cl/",
        f"https://hooks.example.cl/{'a' * 500}",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_its_field(here: None, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        prepare_subscription("Avisos", url, [HAPPENED.name], of_client=False)
    assert set(refused.value.fields) == {"url"}


@pytest.mark.parametrize("types", [[], ["thing.unknown"], ["thing.happened", "thing.unknown"], ["test"]])
def test_only_events_that_there_are_can_be_chosen(here: None, receiver: Receiver, types: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        prepare_subscription("Avisos", receiver.url(), types, of_client=False)
    assert set(refused.value.fields) == {"types"}


def test_a_client_is_offered_what_concerns_it_only(here: None, receiver: Receiver) -> None:
    assert prepare_subscription("Avisos", receiver.url(), [ENDED.name], of_client=True).types == (ENDED.name,)
    with pytest.raises(Invalid):
        prepare_subscription("Avisos", receiver.url(), [HAPPENED.name], of_client=True)


def test_production_takes_no_address_without_encryption(app: Flask, here: None, receiver: Receiver) -> None:
    SETTINGS.fill(app, replace(SETTINGS.of(app), environment="production"))
    with pytest.raises(Invalid):
        prepare_subscription("Avisos", receiver.url(), [HAPPENED.name], of_client=False)


def test_there_is_an_end_to_subscriptions(here: None, receiver: Receiver) -> None:
    for _ in range(MOST):
        subscribed(receiver)
    with pytest.raises(TooManySubscriptions):
        subscribed(receiver)
    subscribed(receiver, THEIRS)


def test_the_body_is_the_same_in_each_attempt(app: Flask, here: None, receiver: Receiver) -> None:
    subscribed(receiver)
    receiver.answers = [Answer(500), Answer(500)]
    happen([OURS])
    for _ in range(3):
        run_worker(app, until_empty=True)
        bring_forward(app)
    assert len({one.body for one in receiver.requests}) == 1
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == 1
    assert json.loads(receiver.requests[0].body)["type"] == "thing.happened"


def test_two_types_of_one_name_do_not_start(app: Flask) -> None:
    with pytest.raises(ValueError, match="one name"):
        install_event_types(app, [HAPPENED, HAPPENED])
