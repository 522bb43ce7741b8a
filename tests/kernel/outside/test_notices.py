"""A notice is told once to each reader, in their language, on the channels that they chose, and never lost."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from builders.following import follow_up
from flask import Flask
from sqlalchemy import func, select, text

from kernel.base.errors import _
from kernel.base.notices import MAIL, PAGE, NoticeTemplate, Timing
from kernel.database.db import session
from kernel.jobs.jobs import job
from kernel.outside.inbox import notices_of, put_into_inbox, unread_count
from kernel.outside.messages import Recipient
from kernel.outside.notice_models import Notice
from kernel.outside.notices import notify
from kernel.recording.work import Work, action

TEMPLATE = NoticeTemplate(
    kind="test.happened",
    group="Test",
    label="Something happens",
    title=_("Language"),
    text="%(title)s\n\n%(day)s\n\n%(empty)s\n\n%(what)s: 100 %%",
)
SECRET = NoticeTemplate("test.secret", "", "", "A link", "Open %(link)s now", channels=frozenset({MAIL}))
ANA = Recipient("ana@example.cl", "es", UUID(int=1), "AE001")
EVA = Recipient("eva@example.cl", "en", UUID(int=2), "AE001")
NOBODYS_MAILBOX = Recipient("contact@example.cl", "es")
WITHOUT_MAIL = Recipient(None, "es", UUID(int=3))
VALUES: dict[str, Any] = {"day": date(2026, 12, 3), "what": _("Language"), "empty": ""}


@action
def tell(work: Work, *recipients: Recipient, template: NoticeTemplate = TEMPLATE, fails: bool = False) -> int:
    told = notify(work, recipients, template, "/agency/x", **VALUES)
    if fails:
        raise RuntimeError("on purpose")
    return told


@job("test:notify")
def tell_ana_and_eva() -> None:
    """Tell both of them."""
    tell(ANA, EVA, NOBODYS_MAILBOX)


def jobs(name: str) -> list[dict[str, str]]:
    query = text("SELECT args FROM procrastinate_jobs WHERE task_name = :name ORDER BY id")
    return [dict(args) for args in session().scalars(query, {"name": name})]


def mails() -> list[dict[str, str]]:
    return jobs("kernel:mail:deliver")


def test_it_is_in_words_for_each_reader_and_leads_to_the_page_for_the_right_agency(context: None) -> None:
    assert tell(ANA, EVA) == 2
    spanish, english = mails()
    address = "http://localhost/agency/x?acting_for=AE001"
    assert (spanish["to"], spanish["subject"]) == ("ana@example.cl", "Idioma")
    assert spanish["text"] == f"Idioma\n\n3 de diciembre de 2026\n\nIdioma: 100 %\n\n{address}\n"
    assert (english["to"], english["subject"]) == ("eva@example.cl", "Language")
    assert english["text"] == f"Language\n\n3 December 2026\n\nLanguage: 100 %\n\n{address}\n"
    inbox = jobs("kernel:inbox:put")
    assert [one["title"] for one in inbox] == ["Idioma", "Language"]
    assert [one["path"] for one in inbox] == ["/agency/x?acting_for=AE001"] * 2
    assert [one["letter_id"] for one in mails()] == [one["notice_id"] for one in inbox]


def test_an_address_that_a_person_and_a_mailbox_have_is_told_once(context: None) -> None:
    assert tell(Recipient("ana@example.cl", "en"), ANA, ANA, NOBODYS_MAILBOX) == 2
    assert [mail["to"] for mail in mails()] == ["ana@example.cl", "contact@example.cl"]
    assert mails()[0]["subject"] == "Idioma"
    assert [one["person_id"] for one in jobs("kernel:inbox:put")] == [str(ANA.person_id)]


def test_a_person_without_an_address_has_it_on_our_pages(context: None) -> None:
    assert tell(WITHOUT_MAIL) == 1
    assert mails() == []
    assert len(jobs("kernel:inbox:put")) == 1


def test_a_secret_goes_by_mail_alone_and_into_no_inbox(context: None) -> None:
    assert tell(ANA, template=SECRET) == 1
    assert [mail["text"] for mail in mails()] == ["Open http://localhost/agency/x?acting_for=AE001 now\n"]
    assert jobs("kernel:inbox:put") == []


def test_nobody_is_told_of_a_change_that_failed(context: None) -> None:
    with suppress(RuntimeError):
        tell(ANA, fails=True)
    assert mails() == jobs("kernel:inbox:put") == []


def test_a_job_that_runs_again_tells_nobody_again(app: Flask, context: None) -> None:
    @action
    def ask(work: Work) -> None:
        work.defer(tell_ana_and_eva)

    ask()
    follow_up(times=3, also=("test:notify",))
    assert len(mails()) == 3
    assert len(jobs("kernel:inbox:put")) == 2
    follow_up(times=3, also=("kernel:inbox:put",))
    assert session().scalar(select(func.count()).select_from(Notice)) == 2
    follow_up(times=1, also=("kernel:inbox:put",))
    assert [unread_count(one.person_id or UUID(int=0)) for one in (ANA, EVA, WITHOUT_MAIL)] == [1, 1, 0]


def test_what_was_read_stays_read_when_its_job_runs_again(context: None) -> None:
    tell(ANA)
    (arguments,) = jobs("kernel:inbox:put")
    put_into_inbox(**arguments)
    session().execute(text("UPDATE notice SET read_at = now()"))
    session().commit()
    put_into_inbox(**arguments)
    (notice,) = notices_of(UUID(int=1)).items
    assert notice.read_at is not None


@pytest.mark.parametrize(
    ("channel", "chosen", "expected"),
    [
        (PAGE, {}, Timing.NOW),
        (MAIL, {}, Timing.NOW),
        (MAIL, {"mail": "daily"}, Timing.DAILY),
        (MAIL, {"mail": "off"}, Timing.OFF),
        (PAGE, {"page": "daily"}, Timing.NOW),
    ],
)
def test_a_channel_tells_as_soon_as_was_chosen(channel: str, chosen: dict[str, str], expected: Timing) -> None:
    assert TEMPLATE.timing(channel, chosen) == expected


def test_a_channel_that_a_template_forbids_or_insists_on_is_no_choice() -> None:
    insisting = NoticeTemplate("test.theft", "", "", "", "", always=frozenset({MAIL}))
    for chosen in ({}, {"mail": "off"}, {"mail": "daily"}):
        assert insisting.timing(MAIL, chosen) == SECRET.timing(MAIL, chosen | {"mail": "now"}) == Timing.NOW
        assert SECRET.timing(PAGE, chosen) == Timing.OFF
