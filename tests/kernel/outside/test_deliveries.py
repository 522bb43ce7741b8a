"""Deliveries to real servers of others: sent until they arrive, by one at a time, each attempt recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from builders.receiver import Answer, Receiver, a_receiver, bring_forward
from flask import Flask, g
from sqlalchemy import select, text

from kernel.base import clock
from kernel.base.errors import BadGateway, NotFound
from kernel.base.settings import Settings
from kernel.database.db import new_session, session
from kernel.jobs.access import Principal, act_as
from kernel.jobs.jobs import run_worker
from kernel.outside import deliveries
from kernel.outside.deliveries import (
    CALLS,
    Delivery,
    DeliveryAttempt,
    DeliveryKind,
    Message,
    Sent,
    attempt,
    deliver,
    delivery_kind,
    sweep_forgotten,
)
from kernel.outside.deliveries_lists import StillSending, attempts_of, deliveries_page, replay
from kernel.outside.deliveries_rules import THREE_DAYS, Status
from kernel.recording.work import Work, action

OWNER = "agency:AE001"


def _make(delivery: Delivery) -> Message | Status:
    to = delivery.arguments
    if "fails" in to:
        raise BadGateway(log="what it is made of is not to be had")
    if "rests" in to:
        return Status(to["rests"])
    return Message(to["url"], {"Delivery-Id": str(delivery.id)}, b"{}")


def _note(work: Work, delivery: Delivery, sent: Sent) -> None:
    """Nothing more changes with an attempt."""


KIND = delivery_kind(
    DeliveryKind(
        "test:delivery",
        make=_make,
        schedule=THREE_DAYS,
        is_success=lambda status: status == 200,
        is_final=lambda status: status == 410,
        noted=_note,
    )
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    return replace(settings, outbound_allowed=frozenset({receiver.address, "localhost:9"}))


@action
def send(work: Work, /, **arguments: str) -> Delivery:
    return deliver(work, KIND, owner=OWNER, topic="something.happened", arguments=arguments)


def sent_by(app: Flask, **arguments: str) -> str:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        return str(send(**arguments).id)


def now_of(delivery_id: str) -> Delivery:
    session().rollback()
    return session().scalars(select(Delivery).where(Delivery.id == delivery_id)).one()


def outcomes(delivery_id: str) -> list[tuple[str, int | None]]:
    return [(one.outcome, one.status) for one in attempts_of(now_of(delivery_id).id)]


def try_again(delivery_id: str) -> None:
    """Make the next attempt at its time."""
    waiting = now_of(delivery_id)
    assert waiting.next_attempt_at is not None
    with clock.shifted(max(waiting.next_attempt_at - clock.now(), timedelta())):
        attempt(delivery_id, waiting.ticket)


def test_what_is_sent_arrives_once_and_is_recorded(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(200, body=b"thank you")]
    delivery_id = sent_by(app, url=receiver.url())
    for _ in range(2):
        run_worker(app, until_empty=True)
    assert [one.headers["Delivery-Id"] for one in receiver.requests] == [delivery_id]
    with app.app_context():
        delivery = now_of(delivery_id)
        assert (delivery.status, delivery.next_attempt_at, delivery.claimed_until) == ("delivered", None, None)
        [made] = attempts_of(delivery.id)
        assert (made.number, made.status, made.answer) == (1, 200, "thank you")
        assert made.address == receiver.url()
        assert made.milliseconds >= 0


def test_a_delivery_exists_exactly_if_the_change_does(app: Flask, receiver: Receiver) -> None:
    @action
    def fail(work: Work) -> None:
        deliver(work, KIND, owner=OWNER, topic="never", arguments={"url": receiver.url()})
        raise ArithmeticError

    with app.app_context(), pytest.raises(ArithmeticError):
        fail()
    run_worker(app, until_empty=True)
    assert receiver.requests == []


def test_a_server_that_fails_for_three_days_is_left_alone(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(500)] * 30
    delivery_id = sent_by(app, url=receiver.url())
    with app.app_context():
        began, ended = now_of(delivery_id).at, clock.now()
        while now_of(delivery_id).status == "pending":
            due = now_of(delivery_id).next_attempt_at
            assert due is not None
            ended = max(ended, due)
            with clock.shifted(ended - clock.now()):
                attempt(delivery_id, now_of(delivery_id).ticket)
        assert now_of(delivery_id).status == "failed"
        assert outcomes(delivery_id) == [("status", 500)] * 10
    assert {one.headers["Delivery-Id"] for one in receiver.requests} == {delivery_id}
    assert timedelta(days=2, hours=12) < ended - began < timedelta(days=3, hours=18)


def test_an_answer_that_settles_it_is_the_last_one(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(410)]
    delivery_id = sent_by(app, url=receiver.url())
    run_worker(app, until_empty=True)
    with app.app_context():
        assert (now_of(delivery_id).status, outcomes(delivery_id)) == ("failed", [("status", 410)])


def test_a_receiver_that_names_a_time_is_not_called_before(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(429, {"Retry-After": "7200"}), Answer(503, {"Retry-After": "99999999"})]
    delivery_id = sent_by(app, url=receiver.url())
    with app.app_context():
        for pause in (timedelta(hours=2), timedelta(days=1)):
            try_again(delivery_id)
            waits = now_of(delivery_id).next_attempt_at
            made = attempts_of(now_of(delivery_id).id)[-1]
            assert waits is not None
            assert abs(waits - made.at - pause) < timedelta(seconds=1)


def test_a_redirect_is_not_followed(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(302, {"Location": "http://169.254.169.254/latest/meta-data"})]
    delivery_id = sent_by(app, url=receiver.url())
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("redirect", 302)]
    assert len(receiver.requests) == 1


def test_a_private_address_is_not_called(app: Flask, receiver: Receiver) -> None:
    port = receiver.address.partition(":")[2]
    delivery_id = sent_by(app, url=f"https://127.0.0.1:{port}/hook")
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("address", None)]
    assert receiver.requests == []


def test_an_encryption_that_cannot_be_had_is_told(app: Flask, receiver: Receiver) -> None:
    delivery_id = sent_by(app, url=f"https://{receiver.address}/hook")
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("tls", None)]


def test_a_server_that_is_not_there_is_told(app: Flask) -> None:
    delivery_id = sent_by(app, url="http://localhost:9/hook")
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("unreachable", None)]


def test_a_silent_receiver_is_waited_for_as_long_as_is_said(
    app: Flask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "SEND_SECONDS", 0.5)
    receiver.answers = [Answer(200, waits_for=threading.Event())]
    delivery_id = sent_by(app, url=receiver.url())
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("timeout", None)]
        assert attempts_of(now_of(delivery_id).id)[0].milliseconds >= 400


def test_the_status_counts_however_the_rest_of_the_answer_fares(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(200, {"Content-Length": "90000"}, b"x" * 90_000)]
    delivery_id = sent_by(app, url=receiver.url())
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("delivered", 200)]


def test_a_message_that_cannot_be_made_is_an_attempt_that_failed(app: Flask) -> None:
    delivery_id = sent_by(app, fails="yes")
    run_worker(app, until_empty=True)
    with app.app_context():
        assert (now_of(delivery_id).status, outcomes(delivery_id)) == ("pending", [("unreachable", None)])


@pytest.mark.parametrize("status", ["held", "cancelled"])
def test_what_has_nobody_to_go_to_comes_to_rest(app: Flask, status: str) -> None:
    delivery_id = sent_by(app, rests=status)
    run_worker(app, until_empty=True)
    with app.app_context():
        assert (now_of(delivery_id).status, outcomes(delivery_id)) == (status, [])


def test_two_workers_never_send_one_at_once(app: Flask, receiver: Receiver) -> None:
    goes_on = threading.Event()
    receiver.answers = [Answer(500, waits_for=goes_on)]
    delivery_id = sent_by(app, url=receiver.url())

    def work() -> None:
        with app.app_context():
            attempt(delivery_id, 1)

    first = threading.Thread(target=work)
    first.start()
    while not receiver.requests:
        first.join(0.02)
    others = [threading.Thread(target=work) for _ in range(3)]
    for each in others:
        each.start()
    for each in others:
        each.join(30)
    assert len(receiver.requests) == 1
    goes_on.set()
    first.join(30)
    # The others put it off for as long as an attempt may take; by then somebody else has another ticket.
    bring_forward(app)
    run_worker(app, until_empty=True)
    assert receiver.most_at_once == 1
    with app.app_context():
        assert outcomes(delivery_id) == [("status", 500), ("delivered", 200)]


def test_whoever_is_killed_between_sending_and_noting_sends_again_under_the_same_name(
    app: Flask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery_id = sent_by(app, url=receiver.url())

    class Killed(BaseException):
        """The end of a worker."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as worker, app.app_context():
        worker.setattr(deliveries, "_note", die)
        g.job_id = session().scalar(text("SELECT id FROM procrastinate_jobs"))
        with pytest.raises(Killed):
            attempt(delivery_id, 1)
    # The job is still there, and whoever gets it goes on where the other one died, without waiting.
    run_worker(app, until_empty=True)
    assert [one.headers["Delivery-Id"] for one in receiver.requests] == [delivery_id] * 2
    with app.app_context():
        assert (now_of(delivery_id).status, outcomes(delivery_id)) == ("delivered", [("delivered", 200)])


def test_where_there_is_no_place_to_wait_nothing_counts_as_an_attempt(app: Flask, receiver: Receiver) -> None:
    delivery_id = sent_by(app, url=receiver.url())
    places = [CALLS.of(app).take("delivery", receiver.address) for _ in range(2)]
    run_worker(app, until_empty=True)
    assert receiver.requests == []
    with app.app_context():
        assert (now_of(delivery_id).status, now_of(delivery_id).attempts) == ("pending", 0)
    for place in places:
        place.release()
    bring_forward(app)
    run_worker(app, until_empty=True)
    assert len(receiver.requests) == 1


def test_a_delivery_is_sent_again_by_its_owner_and_by_nobody_else(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(410)]
    delivery_id = sent_by(app, url=receiver.url())
    run_worker(app, until_empty=True)
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        own = now_of(delivery_id).id
        with pytest.raises(NotFound):
            replay(["agency:AE002"], own)
        replay([OWNER], own)
        with pytest.raises(StillSending):
            replay([OWNER], own)
    run_worker(app, until_empty=True)
    with app.app_context():
        assert outcomes(delivery_id) == [("status", 410), ("delivered", 200)]
        assert [str(one.id) for one in deliveries_page([OWNER]).items] == [delivery_id]
        assert deliveries_page(["agency:AE002"]).items == []
    assert {one.headers["Delivery-Id"] for one in receiver.requests} == {delivery_id}


def test_what_waits_for_hours_may_be_sent_at_once(app: Flask, receiver: Receiver) -> None:
    receiver.answers = [Answer(500)]
    delivery_id = sent_by(app, url=receiver.url())
    run_worker(app, until_empty=True)
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        replay([OWNER], now_of(delivery_id).id)
    run_worker(app, until_empty=True)
    assert len(receiver.requests) == 2
    # The attempt that had been planned has an old ticket.
    bring_forward(app)
    run_worker(app, until_empty=True)
    assert len(receiver.requests) == 2


def test_what_has_lost_its_job_is_sent_all_the_same(app: Flask, receiver: Receiver) -> None:
    delivery_id = sent_by(app, url=receiver.url())
    with app.app_context(), new_session() as own:
        own.execute(text("DELETE FROM procrastinate_jobs"))
        own.commit()
    with app.app_context(), clock.shifted(timedelta(minutes=10)):
        sweep_forgotten()
    run_worker(app, until_empty=True)
    assert receiver.requests == []
    with app.app_context(), clock.shifted(timedelta(minutes=20)):
        sweep_forgotten()
        sweep_forgotten()
    bring_forward(app)
    run_worker(app, until_empty=True)
    assert [one.headers["Delivery-Id"] for one in receiver.requests] == [delivery_id]


def test_the_metrics_tell_what_is_due_and_since_when(app: Flask, receiver: Receiver) -> None:
    sent_by(app, url=receiver.url())
    with app.app_context(), new_session() as own:
        own.execute(text("UPDATE delivery SET next_attempt_at = now() - interval '1 hour'"))
        own.commit()
    page = app.test_client().get("/metrics").text
    figures = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("cordillera_deliver"))
    assert float(figures["cordillera_deliveries_due"]) == 1
    assert 3600 <= float(figures["cordillera_delivery_lag_seconds"]) < 7200
    run_worker(app, until_empty=True)
    page = app.test_client().get("/metrics").text
    assert "cordillera_deliveries_due 0.0" in page
    assert 'cordillera_delivery_attempts_total{kind="test:delivery",outcome="delivered"}' in page


def test_months_that_are_over_go_whole_but_for_what_is_still_sent(app: Flask) -> None:
    periods = [model.retention_period for model in (Delivery, DeliveryAttempt)]
    assert [one.unfinished for one in periods] == ["status = 'pending'", "false"]
