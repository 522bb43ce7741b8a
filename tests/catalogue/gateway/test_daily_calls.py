"""An agreement says how many calls a day: so many pass, and no more."""

import threading
from datetime import timedelta

from builders.catalogue import CONSUMER, OWNER, a_machine, an_official
from builders.gateway import Consumer
from sqlalchemy import text

from kernel.base import clock
from kernel.database.db import session


def _agree_on(consumer: Consumer, calls: int) -> None:
    with consumer.app.app_context():
        session().execute(text("UPDATE agreement SET daily_calls = :calls"), {"calls": calls})
        session().commit()


def test_no_more_calls_pass_than_were_agreed_on(consumer: Consumer) -> None:
    _agree_on(consumer, 3)
    answers = [consumer.call() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert refused.get_json()["type"].endswith("/problems/daily-calls-used")
    assert refused.headers["Cordillera-Error"] == "gateway"
    assert 0 < int(refused.headers["Retry-After"]) <= 90_000
    assert refused.headers["RateLimit"] == f'"agreement";r=0;t={refused.headers["Retry-After"]}'
    assert len(consumer.calls()) == 3


def test_tomorrow_has_calls_of_its_own(consumer: Consumer) -> None:
    _agree_on(consumer, 1)
    assert [consumer.call().status_code for _ in range(2)] == [200, 429]
    with clock.shifted(timedelta(days=1)):
        assert [consumer.call().status_code for _ in range(2)] == [200, 429]
    # A node whose clock is behind does not open the day that others have used up.
    assert consumer.call().status_code == 429


def test_calls_at_once_do_not_pass_beyond_the_limit(consumer: Consumer) -> None:
    _agree_on(consumer, 5)
    consumer.caller.acting(consumer.machine)
    path, statuses = f"/gateway/{consumer.service}/v1/x", []

    def one() -> None:
        statuses.append(consumer.app.test_client().get(path, buffered=True).status_code)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [429] * 7


def test_both_agencies_see_what_is_left(consumer: Consumer) -> None:
    _agree_on(consumer, 10)
    consumer.call()
    for agency in (OWNER, CONSUMER):
        client = consumer.caller.acting(a_machine(agency, "catalogue.usage"))
        body = client.get(f"/api/v1/usage?agreement={consumer.agreement}").get_json()
        assert (body["daily_calls"], body["left_today"]) == (10, 9)
        page = consumer.caller.acting(an_official(agency)).get(f"/agency/agreements/{consumer.agreement}/usage")
        assert "hoy, de 10 al día como máximo" in page.text
