"""A list read page by page is the list: nothing twice, nothing lost, no cursor that breaks anything."""

import base64
import json
from contextlib import suppress

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from kernel.base.errors import Invalid
from kernel.database.db import session
from kernel.database.pagination import page
from kernel.recording.audit import AuditEvent
from kernel.recording.work import Work, action

KEYS = [AuditEvent.at, AuditEvent.id]


@action
def record_some(work: Work, number: int) -> None:
    for each in range(number):
        work.record("test:event", f"event:{each}")


def read_all(limit: int, *, descending: bool) -> list[str]:
    found, cursor = [], None
    while True:
        some = page(session(), select(AuditEvent), KEYS, cursor=cursor, limit=limit, descending=descending)
        found += [event.subject for event in some.items]
        cursor = some.next
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 100])
@pytest.mark.parametrize("descending", [True, False])
def test_every_row_comes_once_in_order(context: None, limit: int, descending: bool) -> None:
    record_some(7)
    found = read_all(limit, descending=descending)
    assert sorted(found) == [f"event:{number}" for number in range(7)]
    assert found == read_all(100, descending=descending)


def cursor_of(values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "\x00", "é", cursor_of([]), cursor_of(["2026-01-01"]), cursor_of([1, 2]), cursor_of({"a": 1}),
     cursor_of(["yesterday", "00000000-0000-0000-0000-000000000000"]), cursor_of([None, None])],
)  # fmt: skip
def test_a_cursor_that_is_not_ours_is_refused(context: None, cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        page(session(), select(AuditEvent), KEYS, cursor=cursor)
    assert list(refused.value.fields) == ["cursor"]


@given(cursor=st.text(max_size=60))
def test_no_cursor_breaks_a_list(app: Flask, cursor: str) -> None:
    with app.app_context(), suppress(Invalid):
        page(session(), select(AuditEvent), KEYS, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 101, 10**9])
def test_a_limit_out_of_bounds_is_refused(context: None, limit: int) -> None:
    with pytest.raises(Invalid):
        page(session(), select(AuditEvent), KEYS, limit=limit)
