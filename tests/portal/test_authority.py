"""The authority's pages: what waits, who did what, and the jobs."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import Select, literal, select, text, union_all

from identity.agencies.actions import create_agency
from identity.people.actions import register_person
from kernel.base import clock
from kernel.database.db import session
from kernel.jobs.access import AUTHENTICATORS, AgencyRef, Principal, act_as
from kernel.outside import mail
from kernel.recording import audit_chain
from kernel.recording.pending import PENDING_KINDS, PendingKind, pending_columns
from kernel.recording.work import Work, action
from portal.audit_sentences import SENTENCES, sentence_of

ROOT = Path(__file__).resolve().parents[2]
AUTHORITY = Principal(
    kind="official",
    id="019a0000-0000-7000-8000-000000000001",
    name="Rosa Valdés",
    agency=AgencyRef("AE001", "Secretaría de Gobierno Digital", is_authority=True),
    roles=frozenset({"administrator", "authority"}),
    is_authority=True,
)
OFFICIAL = Principal(
    kind="official",
    id="019a0000-0000-7000-8000-000000000002",
    name="José Muñoz",
    agency=AgencyRef("AE002", "Otro Servicio"),
    roles=frozenset({"administrator"}),
)


@pytest.fixture
def being(app: Flask) -> Callable[[Principal], FlaskClient]:
    """A browser in which this principal has signed in."""

    def browser(principal: Principal) -> FlaskClient:
        AUTHENTICATORS.of(app)[:] = [lambda: principal]
        return app.test_client()

    return browser


@action
def note(work: Work, tag: str, subject: str) -> None:
    # Of no session: a reaction finds nothing to end.
    work.record(tag, subject, why="a test", sids=[])


@action
def send(work: Work) -> None:
    work.defer(mail.deliver, to="ana@example.cl", subject="Hello", text="the letter's text")
    work.record("test:mail:asked", "mail:1")


def did(app: Flask, who: Principal, tag: str, subject: str, at: datetime | None = None) -> None:
    """Leave an audit record as if `who` had acted."""
    with app.app_context(), clock.shifted((at or clock.now()) - clock.now()):
        act_as(who)
        note(tag, subject)


def tags_on(page: str) -> list[str]:
    return re.findall(r'<small class="muted digest">([^<]+)</small>', page)


EXPIRED = ("identity:session:expired", "sign_in_session")
EVENT = "019a0000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("path", ["/authority", "/authority/audit", f"/authority/audit/{EVENT}", "/authority/jobs"])
def test_the_pages_are_the_authoritys_alone(being: Callable[[Principal], FlaskClient], path: str) -> None:
    assert being(OFFICIAL).get(path).status_code == 403
    person = Principal(kind="person", id="019a0000-0000-7000-8000-000000000003")
    assert being(person).get(path).status_code == 403
    assert being(Principal()).get(path).status_code == 303


def waiting(name: str, *since: datetime, due: datetime | None = None) -> PendingKind:
    """A kind of thing that waits for the authority, one since each of these times."""
    one_each = [select(literal(at).label("since"), literal(f"/{name}/{at.day}").label("href")) for at in since]

    def query(_agency: str) -> Select[Any]:
        rows = union_all(*one_each).subquery()
        title = f"The <b>{name}</b> " + rows.c.href
        return select(*pending_columns(rows.c.href, title, rows.c.since, rows.c.href, literal(due) if due else None))

    return PendingKind(name, name, name, f"/{name}", query, frozenset({"authority"}), is_for_authority=True)


def test_pending_decisions_are_listed_the_overdue_first_then_the_oldest(
    app: Flask, being: Callable[[Principal], FlaskClient]
) -> None:
    day = datetime(2026, 3, 20, tzinfo=UTC)
    newer, older = waiting("newer", day), waiting("older", day - timedelta(days=1))
    PENDING_KINDS.of(app)[:] = [newer, older, waiting("late", day + timedelta(days=1), due=day + timedelta(days=2))]
    page = being(AUTHORITY).get("/authority", headers={"Accept-Language": "en"}).text
    assert page.index("/late/21") < page.index("/older/19") < page.index("/newer/20")
    assert page.count("Overdue") == 1
    assert "The &lt;b&gt;older&lt;/b&gt;" in page


def test_a_long_list_comes_in_pages_and_nothing_twice(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in range(1, 31)]
    PENDING_KINDS.of(app)[:] = [waiting("odd", *days[::2]), waiting("even", *days[1::2])]
    browser, found, path = being(AUTHORITY), list[str](), "/authority"
    while path:
        page = browser.get(path).text
        found += re.findall(r'href="/(?:odd|even)/(\d+)"', page)
        following = re.search(r'class="pager-next" rel="next" href="([^"]+)"', page)
        path = html.unescape(following[1]) if following else ""
    assert found == [str(day.day) for day in days]
    assert browser.get("/authority?cursor=nonsense").status_code == 422


def test_nothing_waiting_is_said(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    PENDING_KINDS.of(app)[:] = []
    assert being(AUTHORITY).get("/authority").status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["test:b:done", "test:a:done", "other:a:done"]),
        ("tag=test", ["test:b:done", "test:a:done"]),
        ("tag=test:a", ["test:a:done"]),
        ("tag=%25", []),
        ("tag=t_st", []),
        ("agency=ae002", ["test:b:done"]),
        ("agency=AE009", []),
        ("actor=muñoz", ["test:b:done"]),
        ("actor=019a0000-0000-7000-8000-000000000001", ["test:a:done", "other:a:done"]),
        ("subject=thing:", ["test:a:done", "other:a:done"]),
        ("subject=thing:2&tag=other", ["other:a:done"]),
        ("since=2026-03-02", ["test:b:done"]),
        ("until=2026-03-01", ["test:a:done", "other:a:done"]),
        ("since=2026-03-01&until=2026-03-01", ["test:a:done"]),
        ("tag=test%00:a", ["test:a:done"]),
    ],
)
def test_the_audit_can_be_searched(
    app: Flask, being: Callable[[Principal], FlaskClient], query: str, found: list[str]
) -> None:
    did(app, AUTHORITY, "other:a:done", "thing:2", datetime(2026, 2, 10, 12, tzinfo=UTC))
    # 02:30 UTC of 2 March is still 1 March in Santiago.
    did(app, AUTHORITY, "test:a:done", "thing:1", datetime(2026, 3, 2, 2, 30, tzinfo=UTC))
    did(app, OFFICIAL, "test:b:done", "other:1", datetime(2026, 3, 2, 12, tzinfo=UTC))
    page = being(AUTHORITY).get(f"/authority/audit?{query}")
    assert page.status_code == 200
    assert tags_on(page.text) == found


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=2026-02-30", "since=0001-01-01", "cursor=x", "cursor=WzFd"]
)
def test_a_filter_that_makes_no_sense_is_told(being: Callable[[Principal], FlaskClient], query: str) -> None:
    page = being(AUTHORITY).get(f"/authority/audit?{query}")
    assert page.status_code == 422
    assert tags_on(page.text) == []


def test_the_audit_goes_on_page_by_page_without_gap_or_repetition(
    app: Flask, being: Callable[[Principal], FlaskClient]
) -> None:
    for number in range(60):
        did(app, AUTHORITY, f"test:n{number:02}:done", "thing:1")
    did(app, OFFICIAL, "elsewhere:x:done", "thing:1")
    browser = being(AUTHORITY)
    address: str | None = "/authority/audit?tag=test"
    seen: list[str] = []
    while address:
        page = browser.get(address).text
        seen += tags_on(page)
        did(app, AUTHORITY, "test:later:done", "thing:1")
        onward = re.search(r'rel="next" href="([^"]+)"', page)
        address = onward[1].replace("&amp;", "&") if onward else None
    assert seen == [f"test:n{number:02}:done" for number in reversed(range(60))]


def test_one_record_is_shown_whole(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    did(app, OFFICIAL, "test:a:done", "thing:<1>")
    with app.app_context():
        event_id = session().scalar(text("SELECT id FROM audit_event"))
    page = being(AUTHORITY).get(f"/authority/audit/{event_id}").text
    assert "José Muñoz" in page
    assert "AE002" in page
    assert "a test" in page
    assert "thing:&lt;1&gt;" in page
    assert being(AUTHORITY).get(f"/authority/audit/{uuid4()}").status_code == 404


def test_the_state_of_the_chain_is_shown(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    did(app, OFFICIAL, "test:a:done", "thing:1")
    with app.app_context():
        assert audit_chain.seal_batch(session()) == 1
        session().commit()
        state = audit_chain.seal_state(session())
    assert state.last is not None
    assert state.waiting == 0
    assert state.last.hash.hex()[:16] in being(AUTHORITY).get("/authority/audit").text


def job_in(app: Flask, status: str) -> int:
    """A letter to be sent, in this state of the queue; its number."""
    with app.app_context():
        act_as(AUTHORITY)
        send()
        found = session().scalar(text("SELECT max(id) FROM procrastinate_jobs"))
        session().execute(
            text("UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status), attempts = 13"),
            {"status": status},
        )
        session().commit()
        return int(found or 0)


def test_a_failed_job_gets_another_go(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    number = job_in(app, "failed")
    browser = being(AUTHORITY)
    page = browser.get("/authority/jobs").text
    assert "kernel:mail:deliver" in page
    assert "letter" not in page
    assert browser.post(f"/authority/jobs/{number}/replay").status_code == 303
    with app.app_context():
        row = session().execute(text("SELECT status::text, attempts FROM procrastinate_jobs")).one()
        tags = session().scalars(text("SELECT tag FROM audit_event")).all()
    assert tuple(row) == ("todo", 1)
    assert "kernel:job:replayed" in tags


@pytest.mark.parametrize("number", ["0", "999999", "9223372036854775807", "99999999999999999999"])
def test_a_job_that_is_not_there_is_not_replayed(being: Callable[[Principal], FlaskClient], number: str) -> None:
    assert being(AUTHORITY).post(f"/authority/jobs/{number}/replay").status_code == 404


def test_only_a_failed_job_is_replayed(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    number = job_in(app, "doing")
    assert being(AUTHORITY).post(f"/authority/jobs/{number}/replay").status_code == 404
    assert being(OFFICIAL).post(f"/authority/jobs/{number}/replay").status_code == 403


@pytest.mark.parametrize("cursor", ["x", "-1", "99999999999999999999999", "²", ""])
def test_a_strange_cursor_does_no_harm(being: Callable[[Principal], FlaskClient], cursor: str) -> None:
    assert being(AUTHORITY).get("/authority/jobs", query_string={"cursor": cursor}).status_code == 200


@pytest.mark.parametrize(
    ("language", "title", "line"),
    [
        ("en", "Records are waiting to be sealed", "Who did what: 2 records are waiting"),
        ("es", "su sello", "Quién hizo qué: 2 registros esperan"),
    ],
)
def test_seals_that_are_late_are_told_in_the_readers_language(
    app: Flask, being: Callable[[Principal], FlaskClient], language: str, title: str, line: str
) -> None:
    browser = being(AUTHORITY)
    for tag in ("test:first", "test:second"):
        did(app, AUTHORITY, tag, "test:1", clock.now() - timedelta(hours=2))
    for path in ("/authority", "/authority/jobs"):
        page = browser.get(path, headers={"Accept-Language": language}).text
        assert title in page
        assert line in page


def test_seals_that_are_on_time_are_no_cause_for_a_word(app: Flask, being: Callable[[Principal], FlaskClient]) -> None:
    did(app, AUTHORITY, "test:first", "test:1")
    browser = being(AUTHORITY)
    assert "are waiting to be sealed" not in browser.get("/authority", headers={"Accept-Language": "en"}).text
    page = browser.get("/authority/jobs", headers={"Accept-Language": "en"}).text
    assert re.search(r"Who did what</span></td>\s*<td[^>]*><span>1</span>", page)


DOCUMENTED = re.findall(r"^\| `([a-z-]+(?::[a-z-]+)+)` \|", (ROOT / "docs/audit-events.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("tag", DOCUMENTED)
def test_every_documented_tag_has_a_sentence_in_both_languages(app: Flask, tag: str) -> None:
    assert tag in SENTENCES
    with app.test_request_context():
        with force_locale("en"):
            english = str(sentence_of(tag))
        with force_locale("es"):
            spanish = str(sentence_of(tag))
    assert english != spanish
    for sentence in (english, spanish):
        assert " " in sentence or sentence in ("Inició sesión",)
        assert ":" not in sentence.split(" ")[0]


def test_the_audit_names_people_and_the_system_and_keeps_the_tag_small(
    app: Flask, being: Callable[[Principal], FlaskClient]
) -> None:
    with app.app_context():
        citizen = register_person("12.345.678-5", ["Ana"], ["Pérez"], None, "a good password")
        create_agency("AE002", "Otro Servicio")
    did(app, Principal(kind="system", id="identity:session:expired", name="identity:session:expired"), *EXPIRED)
    did(app, OFFICIAL, "identity:consent:withdrawn", f"person:{citizen.id}")
    browser = being(AUTHORITY)
    page = browser.get("/authority/audit", headers={"Accept-Language": "es"}).text
    expired, withdrawn = (
        re.search(f"<tr(?:(?!<tr).)*{tag}.*?</tr>", page, re.S) for tag in (EXPIRED[0], "consent:withdrawn")
    )
    assert expired
    assert withdrawn
    assert "El sistema" in expired[0]
    assert expired[0].count(EXPIRED[0]) == 1, "the tag is beside the sentence, and not in place of who it was"
    assert "Terminaron sesiones" in expired[0]
    for words in ("Dejó de compartir datos", "Ana Pérez", "José Muñoz", "Otro Servicio"):
        assert words in withdrawn[0]
    event = browser.get(re.search(r'href="(/authority/audit/[^"]+)"', withdrawn[0])[1]).text  # type: ignore[index]
    assert "<h1>Dejó de compartir datos con una aplicación</h1>" in event
    assert "Ana Pérez" in event
    assert "identity:consent:withdrawn" in event
