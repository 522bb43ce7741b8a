"""Retention of tables that grow: a month whose time is over is dropped whole.

Nothing is deleted row by row, and nobody waits. `DETACH … CONCURRENTLY` would ask for a lighter lock, but PostgreSQL
refuses it where there is a default partition, and without one a write could fail; so the short, strong lock is waited
for half a second at most, and the job comes again within the hour.
"""

from __future__ import annotations

import structlog
from flask import Flask
from sqlalchemy import TableClause, exists, func, literal_column, select, text
from sqlalchemy.exc import OperationalError

from kernel.base import clock
from kernel.base.settings import Settings
from kernel.base.slots import Slot
from kernel.database.db import Base, engine
from kernel.database.partitions import RetentionPeriod, month_start, partition_of, partitions, wait_shortly
from kernel.jobs.jobs import periodic
from kernel.recording.audit_chain import PARTITION_DROPPED
from kernel.recording.work import Work, action

ONE_AT_A_TIME = 7_214_003
log = structlog.get_logger(__name__)


@periodic("kernel:partitions:drop", "37 * * * *")
def drop_old_partitions() -> None:
    """Every hour, drop the months whose time is over; the last one that goes is the one just outside of it."""
    for table, (period, months) in _retention().items():
        oldest_kept = partition_of(table, month_start(clock.now(), -months))
        with engine().connect() as connection:
            existing = partitions(connection, table)
        for partition in existing:
            # The names of one table's partitions are in the order of their months; the default partition is none.
            if partition.startswith(f"{table}_y") and partition < oldest_kept:
                _drop(table, partition, period)


def _drop(table: str, partition: str, period: RetentionPeriod) -> None:
    try:
        drop_partition(table, partition, period)
    except OperationalError as error:
        log.warning("partition not dropped", partition=partition, cause=type(error.orig).__name__)


@action
def drop_partition(work: Work, table: str, partition: str, period: RetentionPeriod) -> bool:
    """End one month of a table; whether it went. Raises OperationalError where somebody uses it at this moment."""
    connection, month = work.session.connection(), TableClause(partition).alias("month")
    wait_shortly(connection)
    if not connection.scalar(select(func.pg_try_advisory_xact_lock(ONE_AT_A_TIME))):
        return False
    if connection.scalar(select(func.to_regclass(partition))) is None:
        return False
    if connection.scalar(select(exists().select_from(month).where(text(period.unfinished)))):
        log.warning("partition has rows that must not go yet", partition=partition)
        return False
    summary = {name: connection.scalar(select(literal_column(sql)).select_from(month)) for name, sql in period.summary}
    connection.execute(text(f'DROP TABLE "{partition}"'))
    work.record(PARTITION_DROPPED, f"partition:{partition}", table=table, **summary)
    return True


RETENTION: Slot[dict[str, tuple[RetentionPeriod, int]]] = Slot("retention")


def _retention() -> dict[str, tuple[RetentionPeriod, int]]:
    return RETENTION()


def install_retention(app: Flask, settings: Settings) -> None:
    """Find out how long each partitioned table is kept. Raises TypeError for one that does not say it."""
    retention = RETENTION.fill(app, {})
    for model in (mapper.class_ for mapper in Base.registry.mappers):
        if model.__table__.dialect_options["postgresql"]["partition_by"] is None:
            continue
        period = getattr(model, "retention_period", None)
        if not isinstance(period, RetentionPeriod):
            raise TypeError(f"{model.__name__} is partitioned and does not say how long it is kept")
        retention[model.__tablename__] = (period, period.months(settings))
