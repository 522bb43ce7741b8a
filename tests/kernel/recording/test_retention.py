"""Old months of large tables go whole, and the audit's chain still holds."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select, text

from catalogue.gateway.models import GatewayCall
from catalogue.gateway.settings import GatewaySettings
from kernel.base.ids import new_id
from kernel.base.settings import Settings
from kernel.database.db import engine, new_session, session
from kernel.database.partitions import create_ahead
from kernel.jobs import jobs
from kernel.recording import audit_chain, sealing
from kernel.recording.audit import AuditEvent
from kernel.recording.retention import RETENTION, drop_old_partitions, install_retention

LONG_AGO = datetime(2001, 1, 31, 23, 59, tzinfo=UTC)
MONTH_AFTER = LONG_AGO + timedelta(hours=1)
OLD = ("audit_event_y2001m01", "audit_event_y2001m02")


@pytest.fixture
def old_months(context: None) -> Iterator[None]:
    """Two months of the audit that are over."""
    with engine().begin() as connection:
        for name, start, end in zip(OLD, ("2001-01-01", "2001-02-01"), ("2001-02-01", "2001-03-01"), strict=True):
            connection.execute(
                text(f"CREATE TABLE {name} PARTITION OF audit_event FOR VALUES FROM ('{start}') TO ('{end}')")
            )
    yield
    session().rollback()
    with engine().begin() as connection:
        for name in OLD:
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


def happened(at: datetime) -> None:
    said = {"tag": "access:refused", "actor_kind": "system", "actor": "test", "actor_name": "test"}
    said |= {"subject": "path:/", "request_id": ""}
    event = {"id": new_id(), "at": at, "detail": {}, **said}
    with engine().begin() as connection:
        connection.execute(insert(AuditEvent.__table__), event)  # type: ignore[arg-type]


def still_there() -> list[str]:
    found = session().scalars(text("SELECT relname FROM pg_class WHERE relname = ANY(:names)"), {"names": list(OLD)})
    return sorted(found)


def test_a_month_that_is_over_goes_and_the_chain_says_so_and_holds(app: Flask, old_months: None) -> None:
    happened(LONG_AGO)
    sealing.seal_all(app)
    drop_old_partitions()
    assert still_there() == []
    sealing.seal_all(app)
    first, second = session().scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert (first.tag, first.subject) == ("kernel:partition:dropped", "partition:audit_event_y2001m01")
    assert first.detail == {"table": "audit_event", "last_seal": 1}
    assert second.detail == {"table": "audit_event", "last_seal": None}
    assert audit_chain.verify(session()) == audit_chain.Verdict(seals=2, events=2, broken_at=None)


def test_a_batch_on_both_sides_of_the_month_end_is_no_break(app: Flask, old_months: None) -> None:
    happened(LONG_AGO)
    happened(datetime.now(UTC))
    sealing.seal_all(app)
    drop_old_partitions()
    sealing.seal_all(app)
    assert audit_chain.verify(session()).broken_at is None


def test_events_of_later_seals_are_still_missed(app: Flask, old_months: None) -> None:
    happened(LONG_AGO)
    sealing.seal_all(app)
    drop_old_partitions()
    sealing.seal_all(app)
    with session() as forger:
        forger.execute(text("ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only"))
        forger.execute(text("DELETE FROM audit_event WHERE subject = 'partition:audit_event_y2001m02'"))
        assert audit_chain.verify(forger).broken_at == 2
        forger.rollback()


def test_a_month_that_somebody_else_dropped_breaks_the_chain(app: Flask, old_months: None) -> None:
    happened(LONG_AGO)
    sealing.seal_all(app)
    with engine().begin() as forger:
        forger.execute(text("DROP TABLE audit_event_y2001m01"))
    assert audit_chain.verify(session()).broken_at == 1


def test_a_month_with_an_unsealed_event_stays_until_it_is_sealed(app: Flask, old_months: None) -> None:
    happened(MONTH_AFTER)
    drop_old_partitions()
    assert still_there() == ["audit_event_y2001m02"]
    sealing.seal_all(app)
    drop_old_partitions()
    assert still_there() == []


def test_nobody_waits_for_a_month_in_use_and_it_goes_the_next_time(app: Flask, old_months: None) -> None:
    with new_session() as reader:
        reader.execute(text("SELECT count(*) FROM audit_event"))
        begun = datetime.now(UTC)
        drop_old_partitions()
        assert datetime.now(UTC) - begun < timedelta(seconds=5)
        assert still_there() == list(OLD)
        reader.rollback()
    session().rollback()
    drop_old_partitions()
    assert still_there() == []


def test_two_workers_at_once_drop_and_record_a_month_once(app: Flask, old_months: None) -> None:
    def drop() -> None:
        with app.app_context():
            drop_old_partitions()

    threads = [threading.Thread(target=drop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert still_there() == []
    recorded = session().scalars(select(AuditEvent.subject).order_by(AuditEvent.id)).all()
    assert sorted(recorded) == ["partition:audit_event_y2001m01", "partition:audit_event_y2001m02"]


def test_this_month_and_the_coming_ones_stay(app: Flask, context: None) -> None:
    with engine().begin() as connection:
        create_ahead(connection)
    query = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_event'::regclass")
    before = session().scalar(query)
    session().rollback()
    drop_old_partitions()
    assert session().scalar(query) == before


def test_the_settings_say_how_long(app: Flask, settings: Settings) -> None:
    retention = RETENTION.of(app)
    assert retention[GatewayCall.__tablename__] == (
        GatewayCall.retention_period,
        settings.of(GatewaySettings).gateway_calls_kept_months,
    )
    assert retention[AuditEvent.__tablename__][1] == settings.audit_kept_months >= 120


def test_a_partitioned_table_must_say_how_long_it_is_kept(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(GatewayCall, "retention_period")
    with pytest.raises(TypeError, match="GatewayCall"):
        install_retention(app, settings)


def test_every_table_that_migrations_partition_by_month_has_a_model_that_says_so(app: Flask, context: None) -> None:
    by_range = session().scalars(
        text("SELECT partrelid::regclass::text FROM pg_partitioned_table WHERE partstrat = 'r'")
    )
    assert set(by_range) == set(RETENTION.of(app))


def test_the_workers_know_both_jobs(app: Flask) -> None:
    # A job that nobody imports is never started, and nothing says so.
    assert {"kernel:partitions:create", "kernel:partitions:drop"} <= set(jobs._application.tasks)
