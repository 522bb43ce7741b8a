"""Effects of a sign-in form."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from builders.clients import path_of
from builders.doors import told
from builders.identity import PASSWORD
from flask import Flask
from sqlalchemy import delete, func, insert, select
from werkzeug.test import TestResponse

from identity.authentication.login_throttling.models import SignInThrottle
from identity.authentication.login_throttling.rules import backoff_of, counter_keys
from identity.authentication.sessions.models import SignInSession
from identity.clients.registry.actions import NewClient
from identity.openid.models import Grant
from identity.people.models import Person
from identity.people.rules import parse_run, password_matches
from kernel.base import clock
from kernel.database.db import Base, engine, session
from kernel.http.incoming import FORM
from kernel.recording.audit import AuditEvent

NO_COUNTER: dict[str, int] = {}
Row = dict[str, Any]


@dataclass(frozen=True)
class Effects:
    """The effects of a form, without values that differ each time."""

    answer: tuple[int, list[tuple[str, str]], str]
    events: list[Row]
    sessions: list[Row]
    codes: list[Row]
    counters: dict[str, int]
    """The failures that each has."""
    hashes: int
    """The number of times that a password was looked at."""

    @property
    def status(self) -> int:
        return self.answer[0]

    @property
    def location(self) -> str:
        return dict(self.answer[1])["Location"]

    @property
    def tags(self) -> list[str]:
        return [event["tag"] for event in self.events]


@dataclass
class Asking:
    """The sign-in form, as strangers send it: whatever one of them did is forgotten before the next."""

    app: Flask
    form: dict[str, Any]
    times_before: int = 0
    """The failures of the person at this address that are counted already."""

    def ask(self, **changed: Any) -> TestResponse:
        """changed: fields, of which None takes one away and a list repeats one, and what is none of the form's."""
        others = {name: changed.pop(name) for name in ("query_string", "content_type") if name in changed}
        headers = {"X-Request-Id": "the-same-name", "User-Agent": "Firefox/128.0", **changed.pop("headers", {})}
        browser = self.app.test_client(use_cookies=False)
        if not changed.pop("says_where_from", True):
            del browser.environ_base["HTTP_SEC_FETCH_SITE"]
        form = {name: value for name, value in {**self.form, **changed}.items() if value is not None}
        kind = others.get("content_type", FORM)
        body = form if kind.startswith("multipart") else urlencode(form, doseq=True)
        return browser.post("/sign-in", data=body, headers=headers, **{**others, "content_type": kind})

    def effects(self, **changed: Any) -> Effects:
        with self.app.app_context():
            _forget_all()
            if self.times_before:
                _fail(self.form["run"], self.times_before)
            before = session().scalar(select(func.count()).select_from(AuditEvent)) or 0
        with patch("identity.authentication.passwords.actions.password_matches", wraps=password_matches) as looked:
            answer = told(self.ask(**changed))
        with self.app.app_context():
            return _effects(answer, before, looked.call_count)

    @property
    def counters_before(self) -> dict[str, int]:
        return dict.fromkeys(counter_keys(parse_run(self.form["run"]).number, "127.0.0.1"), self.times_before)


def asking_for(app: Flask, person: Person, made: NewClient) -> Asking:
    """The form with everything right, on the way to the application."""
    return Asking(app, {"run": str(person.run), "password": PASSWORD, "next": path_of(made)})


def _forget_all() -> None:
    with engine().begin() as connection:
        for table in (Grant, SignInSession, SignInThrottle):
            connection.execute(delete(table))


def _fail(run: str, times: int) -> None:
    now = clock.now()
    keys = counter_keys(parse_run(run).number, "127.0.0.1")
    until = {key: now + backoff_of(key).wait_after(times) for key in keys}
    counters = [{"key": key, "failures": times, "counted_at": now, "allowed_at": until[key]} for key in keys]
    with engine().begin() as connection:
        connection.execute(insert(SignInThrottle), counters)


def _effects(answer: tuple[int, list[tuple[str, str]], str], before: int, hashes: int) -> Effects:
    events = session().scalars(select(AuditEvent).order_by(AuditEvent.id).offset(before)).all()
    sessions = session().scalars(select(SignInSession)).all()
    codes = session().scalars(select(Grant)).all()
    assert {code.sid for code in codes} <= {each.sid for each in sessions}
    return Effects(
        answer,
        [_row(event, "id", "at") | {"detail": event.detail | {"sid": "sid" in event.detail}} for event in events],
        [_row(each, "id", "token_hash", "sid") for each in sessions],
        [_row(code, "id", "code_hash", "sid") for code in codes],
        {each.key: round(each.failures) for each in session().scalars(select(SignInThrottle))},
        hashes,
    )


def _row(of: Base, *but: str) -> Row:
    """A row, with how far its times lie from its beginning."""
    values = {column.key: getattr(of, column.key) for column in of.__table__.columns if column.key not in but}
    times = [value for value in values.values() if isinstance(value, datetime)]
    return {
        name: round((value - min(times)).total_seconds()) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
