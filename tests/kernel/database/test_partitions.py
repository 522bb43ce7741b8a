"""Rows that had no partition of their month get one, and nobody waits for it or loses a row."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from kernel.base.ids import new_id
from kernel.database.db import engine, new_session
from kernel.database.partitions import create_partitions, month_start, partition_of
from kernel.recording import sealing
from kernel.recording.audit import AuditEvent
from kernel.recording.retention import drop_old_partitions

LONG_AGO = datetime(2001, 1, 31, 23, 59, tzinfo=UTC)
AFTER = {months: month_start(LONG_AGO, months) for months in range(4)}


@pytest.fixture(autouse=True)
def as_before(context: None) -> Iterator[None]:
    """The partitions as a new installation has them, before and after."""
    create_partitions()
    yield
    old = [name for name in rows() if name.startswith("audit_event_y2001")]
    with engine().begin() as connection:
        for name in old:
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text("TRUNCATE audit_event, audit_waiting"))
    create_partitions()


def happened(at: datetime) -> None:
    said = {"tag": "access:refused", "actor_kind": "system", "actor": "test", "actor_name": "test"}
    said |= {"subject": "path:/", "request_id": ""}
    with engine().begin() as connection:
        connection.execute(insert(AuditEvent.__table__), {"id": new_id(), "at": at, "detail": {}, **said})  # type: ignore[arg-type]


def rows() -> dict[str, int]:
    """The number of rows in each partition."""
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass"
    with engine().connect() as connection:
        names = connection.scalars(text(query)).all()
        return {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in names}


def filled() -> dict[str, int]:
    return {name: count for name, count in rows().items() if count}


def drop(month: datetime) -> None:
    with engine().begin() as connection:
        connection.execute(text(f"DROP TABLE {partition_of('audit_event', month)}"))


def test_a_month_without_a_partition_gets_one_and_goes_when_it_is_over(app: Flask) -> None:
    happened(LONG_AGO)
    assert filled() == {"audit_event_default": 1}
    create_partitions()
    assert filled() == {"audit_event_y2001m01": 1}
    sealing.seal_all(app)
    drop_old_partitions()
    assert "audit_event_y2001m01" not in rows()


def test_months_in_a_row_are_one_partition_that_goes_with_the_last() -> None:
    for month in (0, 1, 3):
        happened(AFTER[month])
    create_partitions()
    assert filled() == {"audit_event_y2001m04": 3}
    # And the next one of them goes there too.
    happened(AFTER[2])
    assert filled() == {"audit_event_y2001m04": 4}


def test_months_on_both_sides_of_another_one_are_parted() -> None:
    happened(AFTER[1])
    create_partitions()
    for month in (0, 1, 2, 2):
        happened(AFTER[month])
    assert filled() == {"audit_event_default": 3, "audit_event_y2001m02": 2}
    create_partitions()
    assert filled() == {"audit_event_y2001m01": 1, "audit_event_y2001m02": 2, "audit_event_y2001m03": 2}
    # None of them waits for a second seal.
    with engine().connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit_waiting")) == 5


def test_what_was_moved_is_as_protected_as_the_rest() -> None:
    happened(LONG_AGO)
    create_partitions()
    happened(AFTER[2])
    for name in filled():
        with pytest.raises(DBAPIError, match="append"), engine().begin() as connection:
            connection.execute(text(f"DELETE FROM {name}"))


def test_this_month_too_while_everybody_goes_on_writing(app: Flask) -> None:
    now = datetime.now(UTC)
    drop(month_start(now))
    for _one in range(20):
        happened(now)
    written, failed, is_over = [20], [], threading.Event()

    def write() -> None:
        with app.app_context():
            while not is_over.is_set():
                try:
                    happened(datetime.now(UTC))
                    written.append(1)
                except DBAPIError as error:
                    failed.append(error)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    time.sleep(0.3)
    for _night in range(20):
        create_partitions()
        if "audit_event_default" not in filled():
            break
    time.sleep(0.3)
    is_over.set()
    for writer in writers:
        writer.join()
    assert failed == []
    assert filled() == {partition_of("audit_event", month_start(now)): sum(written)}


def test_nobody_waits_while_somebody_reads_and_it_happens_the_next_time() -> None:
    happened(LONG_AGO)
    with new_session() as reader:
        reader.execute(text("SELECT count(*) FROM audit_event"))
        begun = datetime.now(UTC)
        create_partitions()
        assert datetime.now(UTC) - begun < timedelta(seconds=5)
        reader.rollback()
    assert filled() == {"audit_event_default": 1}
    create_partitions()
    assert filled() == {"audit_event_y2001m01": 1}
