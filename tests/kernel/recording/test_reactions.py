"""A follower of a record is a job that exists exactly if the change does, and is tried again until it succeeds."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from kernel.database.db import session
from kernel.jobs.jobs import run_worker
from kernel.recording.reactions import Event, follows
from kernel.recording.work import Work, action

FIRST, SECOND = "test:followed:first", "test:followed:second"
DETAIL = {"agencies": ["AE001", "AE002"], "status": "active", "documents": 2}
seen: list[Event] = []


@follows(FIRST, SECOND, FIRST, name="test:follow:both")
def see(event: Event) -> None:
    """Note what happened, unless it is to fail once."""
    if event.detail.get("fails") and event not in seen:
        seen.append(event)
        raise ValueError("the first time")
    seen.append(event)


@action
def change(work: Work, tags: list[str], *, fails: bool) -> None:
    for number, tag in enumerate(tags):
        work.record(tag, f"thing:{number}", **DETAIL)
    if fails:
        raise RuntimeError("on purpose")


@pytest.fixture
def nothing_seen(context: None) -> Iterator[None]:
    seen.clear()
    yield
    seen.clear()


def waiting() -> list[dict[str, object]]:
    query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'test:follow:both' ORDER BY id")
    return [dict(args) for args in session().scalars(query)]


TAGS = st.lists(st.sampled_from([FIRST, SECOND, "test:followed:by-nobody"]), max_size=5)


@given(tags=TAGS, fails=st.booleans())
def test_it_waits_exactly_if_the_change_commits(nothing_seen: None, tags: list[str], fails: bool) -> None:
    before = len(waiting())
    with suppress(RuntimeError):
        change(tags, fails=fails)
    session().rollback()
    followed = [(tag, f"thing:{number}") for number, tag in enumerate(tags) if tag in (FIRST, SECOND)]
    added = waiting()[before:]
    assert [(one["tag"], one["subject"]) for one in added] == ([] if fails else followed)
    assert all(one["detail"] == DETAIL for one in added)
    assert seen == []


def test_it_gets_the_record_and_is_tried_again(app: Flask, nothing_seen: None) -> None:
    @action
    def fail_once(work: Work) -> None:
        work.record(FIRST, "thing:1", fails=True)

    fail_once()
    run_worker(app, until_empty=True)
    session().execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
    session().commit()
    run_worker(app, until_empty=True)
    assert seen == [Event(FIRST, "thing:1", {"fails": True})] * 2
    assert waiting() == []
