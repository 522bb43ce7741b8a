"""Statements that go past the session: alone they commit themselves, inside an action they share its fate."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from builders.databases import END_OTHER_CONNECTIONS
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    DateTime,
    Float,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import NoResultFound, OperationalError
from sqlalchemy.types import TypeEngine

from kernel.base.ids import new_id
from kernel.database.db import UnrecordedChange, session
from kernel.database.direct import direct_pool
from kernel.database.prepared import PreparedQuery, PreparedWrite, together
from kernel.keys.signatures import SigningKey
from kernel.recording.audit import AuditEvent, record_of, recorded
from kernel.recording.work import Work, action

NOW = datetime(2026, 12, 1, 9, 30, 15, 123456, tzinfo=UTC)
TYPES: dict[str, TypeEngine[Any]] = {
    "text": Text(),
    "json": JSONB(),
    "bytes": LargeBinary(),
    "time": DateTime(timezone=True),
    "uuid": Uuid(),
    "number": Float(53),
    "texts": ARRAY(Text()),
}
echo = PreparedQuery(select(*(cast(bindparam(name, type_=kind), kind) for name, kind in TYPES.items())))
ECHOED: dict[str, Any] = dict.fromkeys(TYPES)
server_process = PreparedQuery(select(func.pg_backend_pid()))
key_named = PreparedQuery(select(SigningKey.purpose).where(SigningKey.kid == bindparam("kid")))

NEW_KEY = insert(SigningKey).values(
    {name: bindparam(name) for name in ("id", "purpose", "algorithm", "kid", "public_jwk", "created_at", "signs_from")}
)
add_key = PreparedWrite(NEW_KEY.returning(SigningKey.kid))
ADDED = NEW_KEY.returning(SigningKey.kid).cte("added")
add_key_recorded = PreparedWrite(select(ADDED), record=record_of(ADDED))
add_key_told = PreparedWrite(select(ADDED), record=record_of(ADDED, ("kid",)))
NOTHING = (
    update(SigningKey)
    .where(SigningKey.kid == "nobody's")
    .values(purpose="other")
    .returning(SigningKey.kid)
    .cte("nothing")
)
change_nothing = PreparedWrite(select(NOTHING), record=record_of(NOTHING))
KEY: dict[str, Any] = {
    "purpose": "test", "algorithm": "ES256", "public_jwk": {"kty": "EC"}, "created_at": NOW, "signs_from": NOW,
}  # fmt: skip


def add(change: PreparedWrite, kid: str) -> Any:
    said = recorded("kernel:key:created", f"key:{kid}") if change is add_key_recorded else {}
    return change(id=new_id(), kid=kid, **KEY, **said)


def count(rows: type) -> int:
    session().rollback()
    return session().scalar(select(func.count()).select_from(rows)) or 0


def test_every_kind_of_value_comes_back_as_it_went(context: None) -> None:
    sent = {"text": "Ñuñoa $1 %s", "json": {"a": [1, None, "ñ"]}, "bytes": b"\x00\xff", "time": NOW, "uuid": uuid4(),
            "number": 0.1, "texts": ["a", 'b"{,}']}  # fmt: skip
    assert echo.one(**sent) == tuple(sent.values())
    assert echo.one(**ECHOED) == tuple(ECHOED.values())
    assert echo.one(**sent) == tuple(sent.values())


@given(said=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_no_text_is_read_as_sql(app: Any, said: str) -> None:
    with app.app_context():
        sent = {**ECHOED, "text": said, "json": said, "texts": [said, "", said]}
        assert echo.one(**sent) == tuple(sent.values())
        assert echo.one(**{**sent, "texts": []})[-1] == []


def test_a_row_that_is_not_there_is_none_and_one_that_must_be_is_an_error(context: None) -> None:
    assert key_named(kid="nobody's") is None
    with pytest.raises(NoResultFound):
        key_named.one(kid="nobody's")


def test_a_change_alone_stays_and_returns_its_row(context: None) -> None:
    assert add(add_key, "one") == ("one",)
    assert count(SigningKey) == 1
    assert key_named(kid="one") == ("test",)


def test_a_change_and_its_record_are_one_statement(context: None) -> None:
    assert add(add_key_recorded, "one") == ("one",)
    assert (count(SigningKey), count(AuditEvent)) == (1, 1)
    with pytest.raises(psycopg.errors.UniqueViolation):
        add(add_key_recorded, "one")
    assert (count(SigningKey), count(AuditEvent)) == (1, 1)


def test_a_record_tells_what_the_statement_found_out(context: None) -> None:
    said = recorded("kernel:key:created", "key:one", purpose="test")
    add_key_told(id=new_id(), kid="one", **KEY, **said)
    assert session().scalars(select(AuditEvent.detail)).all() == [{"purpose": "test", "kid": "one"}]


def test_what_changes_nothing_is_not_recorded(context: None) -> None:
    assert change_nothing(**recorded("kernel:key:created", "key:none")) is None
    assert count(AuditEvent) == 0


def test_a_change_inside_an_action_falls_with_it(context: None) -> None:
    @action
    def fail(work: Work) -> None:
        add(add_key_recorded, "one")
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        fail()
    assert (count(SigningKey), count(AuditEvent)) == (0, 0)


def test_a_recorded_change_is_the_record_that_its_action_owes(context: None) -> None:
    @action
    def change(work: Work, statement: PreparedWrite) -> None:
        work.add(SigningKey(kid="beside", **KEY))
        add(statement, "one")

    with pytest.raises(UnrecordedChange):
        change(add_key)
    change(add_key_recorded)
    assert (count(SigningKey), count(AuditEvent)) == (2, 1)


def test_a_change_that_is_to_stay_outlives_the_action_that_fails(context: None) -> None:
    @action
    def fail(work: Work) -> None:
        add_key.alone(id=new_id(), kid="stays", **KEY)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        fail()
    assert count(SigningKey) == 1


def add_soon(kid: str) -> None:
    add_key_recorded.soon(id=new_id(), kid=kid, **KEY, **recorded("kernel:key:created", f"key:{kid}"))


def test_what_is_changed_soon_commits_with_the_next_change(context: None) -> None:
    with together():
        add_soon("one")
        assert key_named(kid="one") is None
        assert add(add_key, "two") == ("two",)
        assert key_named(kid="one") == ("test",)
    transactions = session().execute(text("SELECT DISTINCT xmin FROM signing_key")).all()
    assert (count(SigningKey), count(AuditEvent), len(transactions)) == (2, 1, 1)


def test_what_no_change_follows_commits_at_the_end_and_elsewhere_at_once(context: None) -> None:
    with together():
        add_soon("one")
        add_soon("two")
        assert count(SigningKey) == 0
    assert (count(SigningKey), count(AuditEvent)) == (2, 2)
    add_soon("three")
    assert (count(SigningKey), count(AuditEvent)) == (3, 3)


def test_an_exception_drops_what_was_to_be_done_soon(context: None) -> None:
    @together()
    def fail() -> None:
        add_soon("one")
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        fail()
    add(add_key, "two")
    assert (count(SigningKey), count(AuditEvent)) == (1, 0)


@pytest.mark.parametrize("wrong", ["one", "two"])
def test_of_what_is_done_together_nothing_stays_where_one_part_fails(context: None, wrong: str) -> None:
    add(add_key, wrong)

    @together()
    def add_both() -> None:
        add_soon("one")
        add(add_key, "two")

    with pytest.raises(psycopg.errors.UniqueViolation):
        add_both()
    assert (count(SigningKey), count(AuditEvent)) == (1, 0)
    add(add_key, "three")


def test_a_connection_lost_between_two_parts_is_an_error_and_not_a_wait(context: None) -> None:
    ends = NEW_KEY.returning(select(func.pg_terminate_backend(func.pg_backend_pid())).scalar_subquery())

    @together()
    def add_and_lose() -> None:
        add_soon("one")
        add(PreparedWrite(ends), "two")

    with pytest.raises(OperationalError):
        add_and_lose()
    assert count(SigningKey) == 0
    add(add_key, "three")


def test_an_action_that_fails_leaves_what_was_to_be_done_soon(context: None) -> None:
    @action
    def fail(work: Work) -> None:
        add(add_key, "two")
        raise RuntimeError("on purpose")

    with together():
        add_soon("one")
        with pytest.raises(RuntimeError):
            fail()
    assert session().scalars(select(SigningKey.kid)).all() == ["one"]


def test_in_an_action_a_change_made_soon_is_part_of_it(context: None) -> None:
    @action
    def change(work: Work) -> None:
        add_soon("one")
        assert work.session.scalar(select(func.count()).select_from(SigningKey)) == 1
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError), together():
        change()
    assert count(SigningKey) == 0


def test_a_read_survives_a_connection_that_was_lost(context: None) -> None:
    before = server_process.one()
    session().execute(text(END_OTHER_CONNECTIONS))
    assert server_process.one() != before


def test_a_change_is_never_tried_twice(context: None) -> None:
    """A connection is asked before it writes; one that breaks meanwhile leaves open whether the change was made."""
    add(add_key, "one")
    lose_and_add = PreparedWrite(
        NEW_KEY.add_cte(select(func.pg_terminate_backend(func.pg_backend_pid())).cte("lost")).returning(
            select(func.pg_terminate_backend(func.pg_backend_pid())).scalar_subquery()
        )
    )
    with pytest.raises(OperationalError):
        add(lose_and_add, "two")
    assert add(add_key, "three") == ("three",)
    assert count(SigningKey) == 2


def test_a_connection_on_which_a_statement_failed_is_not_used_again(context: None) -> None:
    before = server_process.one()
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        PreparedQuery(select(bindparam("uuid", type_=Text()).cast(Uuid)))(uuid="none")
    assert server_process.one() != before


def test_a_statement_is_prepared_once_a_connection(context: None) -> None:
    prepared = PreparedQuery(text("SELECT count(*) FROM pg_prepared_statements"))
    with direct_pool().one():
        # A second connection, for nobody else has this one.
        assert [prepared.one() for _ in range(3)] == [(1,)] * 3
