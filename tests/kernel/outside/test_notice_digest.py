"""Once a day, what waits for a person goes out in one mail: each of it once, however often the job runs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from builders.together import at_once
from flask import Flask
from sqlalchemy import func, select, text

from kernel.base import clock
from kernel.base.notices import NoticeTemplate
from kernel.database.db import session
from kernel.outside.messages import Recipient
from kernel.outside.notice_digest import INBOX_PATH, MOST_IN_ONE, send_digest, send_digests
from kernel.outside.notice_models import WaitingNotice
from kernel.outside.notice_preferences import save_choice
from kernel.outside.notices import notify
from kernel.recording.work import Work, action

TEMPLATE = NoticeTemplate("test.happened", "Test", "Something", "Number %(number)s", "%(title)s happened.")
ANA = Recipient("ana@example.cl", "es", UUID(int=1), "AE001")
EVA = Recipient("eva@example.cl", "en", UUID(int=2))


@pytest.fixture
def daily(app: Flask, context: None) -> None:
    """Both want one mail a day."""

    @action
    def choose(work: Work) -> None:
        for person in (1, 2):
            save_choice(work, UUID(int=person), "test.happened", {"page": "now", "mail": "daily"})
        work.record("identity:person:notices-chosen", "person:1", kinds=["test.happened"])

    choose()
    INBOX_PATH.fill(app, "/my/notices")


@action
def tell(work: Work, *numbers: int) -> None:
    for number in numbers:
        notify(work, [ANA, EVA], TEMPLATE, "/agency/x", number=number)


def mails() -> list[dict[str, str]]:
    query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver' ORDER BY args->>'to', id")
    return [dict(args) for args in session().scalars(query)]


def how_many_wait() -> int:
    return session().scalar(select(func.count()).select_from(WaitingNotice)) or 0


def test_what_waits_goes_out_in_one_mail_in_the_readers_language(daily: None) -> None:
    tell(1, 2)
    assert mails() == []
    send_digests()
    to_ana, to_eva = mails()
    assert (to_ana["to"], to_ana["subject"]) == ("ana@example.cl", "2 avisos de hoy")
    assert (to_eva["to"], to_eva["subject"]) == ("eva@example.cl", "2 notices of today")
    first, second, advice = to_eva["text"].split("\n\n— — —\n\n")
    assert (first, second) == (
        "Number 1 happened.\n\nhttp://localhost/agency/x",
        "Number 2 happened.\n\nhttp://localhost/agency/x",
    )
    assert advice.endswith("http://localhost/my/notices\n")
    assert "http://localhost/agency/x?acting_for=AE001" in to_ana["text"]
    assert how_many_wait() == 0


def test_the_inbox_does_not_wait_for_the_morning(daily: None) -> None:
    tell(1)
    query = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'kernel:inbox:put'")
    assert session().scalar(query) == 2


def test_a_second_run_sends_nothing_again(daily: None) -> None:
    tell(1)
    send_digests()
    send_digests()
    assert len(mails()) == 2


def test_two_runs_at_once_send_each_notice_once(app: Flask, daily: None) -> None:
    tell(*range(6))
    session().rollback()

    def run() -> None:
        with app.app_context():
            send_digests()

    at_once(app, [lambda _client: run()] * 2)
    assert [mail["subject"] for mail in mails()] == ["6 avisos de hoy", "6 notices of today"]
    assert how_many_wait() == 0


def test_a_run_that_ends_between_two_people_loses_and_doubles_nothing(daily: None) -> None:
    tell(1)
    assert send_digest(clock.now())
    assert (len(mails()), how_many_wait()) == (1, 1)
    send_digests()
    assert [mail["to"] for mail in mails()] == ["ana@example.cl", "eva@example.cl"]


def test_what_comes_after_the_beginning_waits_for_the_next_morning(daily: None) -> None:
    tell(1)
    assert not send_digest(clock.now() - timedelta(minutes=1))
    assert (mails(), how_many_wait()) == ([], 2)


def test_a_mail_has_an_end(daily: None) -> None:
    tell(*range(MOST_IN_ONE + 1))
    send_digests()
    assert [mail["subject"] for mail in mails()] == [
        f"{MOST_IN_ONE} avisos de hoy",
        "1 aviso de hoy",
        f"{MOST_IN_ONE} notices of today",
        "1 notice of today",
    ]
