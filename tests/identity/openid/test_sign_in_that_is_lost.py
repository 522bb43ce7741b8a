"""A sign-in whose database is lost in the middle is done whole or not at all, and nothing of it twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from builders.clients import a_client, path_of
from builders.sign_ins import Asking, Effects
from flask import Flask
from psycopg import OperationalError
from sqlalchemy import select, text

from identity.openid.models import ApplicationConsent
from kernel.database.db import engine
from kernel.database.direct import Asked, DirectConnection
from kernel.database.prepared import PreparedWrite

READ, BEGINNING, COUNTING = "password_hash", "INSERT INTO sign_in_session", "INSERT INTO sign_in_throttle"
ENTERED = ["identity:session:started", "identity:application:entered"]


@contextmanager
def lost_at(part: str, *, after: bool = False) -> Iterator[list[str]]:
    """Statements with this part in them lose their connection, before or after they are done; those that did."""
    found: list[str] = []
    run = DirectConnection.run

    def lose(line: DirectConnection, *asked: Asked) -> Any:
        if not any(part in sql for sql, _ in asked):
            return run(line, *asked)
        found.append("; ".join(sql for sql, _ in asked))
        if after:
            run(line, *asked)
        raise OperationalError("the connection was lost")

    with patch.object(DirectConnection, "run", lose):
        yield found


def effects_of_loss(asking: Asking, part: str, *, times: int, after: bool = False, **changed: Any) -> Effects:
    """The form's effects where a statement is lost that is asked or written just so many times."""
    with lost_at(part, after=after) as lost:
        effects = asking.effects(**changed)
    assert len(lost) == times
    return effects


def test_a_read_that_fails_twice_is_told_and_not_made_again(asking: Asking) -> None:
    effects = effects_of_loss(asking, READ, times=2)
    assert (effects.status, effects.tags, effects.hashes) == (503, [], 0)
    assert (effects.sessions, effects.codes, effects.counters) == ([], [], {})


def test_a_read_that_fails_once_is_made_again(asking: Asking) -> None:
    run, lost = DirectConnection.run, [OperationalError("the connection was lost")]

    def lose_once(line: DirectConnection, *asked: Asked) -> Any:
        if READ in asked[0][0] and lost:
            raise lost.pop()
        return run(line, *asked)

    with patch.object(DirectConnection, "run", lose_once):
        effects = asking.effects()
    assert (lost, effects.status, effects.tags, effects.hashes) == ([], 303, ENTERED, 1)


def test_what_was_not_written_is_not_written_again(asking: Asking) -> None:
    effects = effects_of_loss(asking, BEGINNING, times=1)
    assert (effects.status, effects.tags, effects.hashes) == (503, [], 1)
    assert (effects.sessions, effects.codes, effects.counters) == ([], [], {})


def test_what_was_written_although_the_answer_was_lost_is_not_written_again(asking: Asking) -> None:
    effects = effects_of_loss(asking, BEGINNING, times=1, after=True)
    assert (effects.status, effects.tags, effects.hashes) == (503, ENTERED, 1)
    assert (len(effects.sessions), len(effects.codes), effects.counters) == (1, 1, {})
    assert "Set-Cookie" not in dict(effects.answer[1])


def test_a_session_of_who_has_not_agreed_is_not_begun_again_either(app: Flask, asking: Asking) -> None:
    with app.app_context():
        asking.form = {**asking.form, "next": path_of(a_client("standard"))}
    effects = effects_of_loss(asking, BEGINNING, times=1, after=True)
    assert (effects.status, effects.tags, effects.hashes) == (503, ["identity:session:started"], 1)
    assert (len(effects.sessions), effects.codes) == (1, [])


def test_a_failure_that_could_not_be_counted_is_not_looked_at_again(asking: Asking) -> None:
    effects = effects_of_loss(asking, COUNTING, times=1, password="guess")
    assert (effects.status, effects.tags, effects.hashes) == (503, ["identity:sign-in:refused"], 1)
    assert (effects.sessions, effects.counters) == ([], {})


def test_there_is_no_session_of_a_sign_in_whose_code_could_not_be_issued(app: Flask, asking: Asking) -> None:
    app.config["TESTING"] = False  # as outside of tests, where a defect is a page
    with patch("identity.openid.authorization.actions._issue", PreparedWrite(text("SELECT 1 / 0"))):
        effects = asking.effects()
    assert (effects.status, effects.tags, effects.hashes) == (500, [], 1)
    assert (effects.sessions, effects.codes, effects.counters) == ([], [], {})


WAITING = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def test_a_connection_that_is_cut_between_session_and_code_leaves_neither(app: Flask, asking: Asking) -> None:
    with ThreadPoolExecutor() as threads, app.app_context(), engine().connect() as other:
        other.execute(select(ApplicationConsent.id).with_for_update())
        entering = threads.submit(asking.effects)
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as watching:
            while (pid := watching.scalar(WAITING)) is None:
                assert not entering.done(), entering.result()
            watching.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        effects = entering.result(timeout=10)
    assert (effects.status, effects.tags, effects.hashes) == (503, [], 1)
    assert (effects.sessions, effects.codes, effects.counters) == ([], [], {})
