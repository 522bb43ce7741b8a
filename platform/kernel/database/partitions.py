"""Tables that grow without end are partitioned by month of their `at`: created ahead, and dropped whole when their time
is over (`kernel.recording.retention`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection, TableClause, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from kernel.base import clock
from kernel.base.settings import Settings
from kernel.database.db import engine
from kernel.jobs.jobs import periodic

MONTHS_AHEAD = 3
WAITS_FOR_LOCKS = "500ms"
"""The longest wait for a table's lock; it is short, because others queue behind it, and the job comes again."""
LOCKED_AT_MOST = "3s"
"""The time that a statement may take while others wait: enough to look through some ten million rows."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RetentionPeriod:
    """The time for which a partitioned table keeps its rows; a model of such a table has one as `retention_period`.

    months: for how many, by the settings. unfinished: what holds, in SQL, for a row that must not go yet.
    summary: SQL aggregates over a partition, by name, which go into the record of its end.
    """

    months: Callable[[Settings], int]
    unfinished: str = "false"
    summary: tuple[tuple[str, str], ...] = ()


def partition_by_month(table: str) -> list[str]:
    """The statements of a migration that has just created `table` partitioned by RANGE (at): a default partition, so
    that no write ever fails.
    """
    return [f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT']


def month_start(instant: datetime, months: int = 0) -> datetime:
    """The first instant of the month that lies `months` after that of `instant`."""
    number = instant.year * 12 + instant.month - 1 + months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def partition_of(table: str, month: datetime) -> str:
    """The name of the partition of a month."""
    return f"{table}_y{month:%Y}m{month:%m}"


def partitioned_tables(connection: Connection) -> list[str]:
    names = connection.scalars(
        text("SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid ORDER BY 1")
    )
    return list(names)


def partitions(connection: Connection, table: str) -> list[str]:
    """The names of a table's partitions, the oldest month first."""
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table) ORDER BY 1"
    return list(connection.scalars(text(query), {"table": table}))


def wait_shortly(connection: Connection) -> None:
    """Let the statements of this transaction fail rather than keep others waiting behind them."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{WAITS_FOR_LOCKS}'"))


def give_strays_their_months(connection: Connection, table: str) -> None:
    """Empty the default partition: what landed there, because its month had no partition, is kept as all the rest.

    Where no other partition lies between its first and its last month it becomes the partition of these months itself,
    under the name of the last one, so that it is dropped when all of it is over, and nothing is copied; else each
    month's rows are. Nobody waits longer than for `wait_shortly` and LOCKED_AT_MOST; what takes longer is undone.
    """
    default, strays = f"{table}_default", f"{table}_strays"
    if not _months_of(connection, default):
        return
    wait_shortly(connection)
    connection.execute(text(f"SET LOCAL statement_timeout = '{LOCKED_AT_MOST}'"))
    connection.execute(text(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE'))
    months = _months_of(connection, default)
    known = partitions(connection, table)
    connection.execute(text(f'ALTER TABLE "{table}" DETACH PARTITION "{default}"'))
    connection.execute(text(f'ALTER TABLE "{default}" RENAME TO "{strays}"'))
    connection.execute(text(f'CREATE TABLE "{default}" PARTITION OF "{table}" DEFAULT'))
    last = partition_of(table, months[-1])
    if any(partition_of(table, months[0]) <= name <= last for name in known):
        for month in months:
            _copy(connection, strays, partition_of(table, month), month)
            _attach(connection, table, partition_of(table, month), month, month)
        connection.execute(text(f'DROP TABLE "{strays}"'))
    else:
        connection.execute(text(f'ALTER TABLE "{strays}" RENAME TO "{last}"'))
        _attach(connection, table, last, months[0], months[-1])
    log.warning("rows had no partition of their month", table=table, months=[f"{month:%Y-%m}" for month in months])


def _months_of(connection: Connection, partition: str) -> list[datetime]:
    """The months that a partition has rows of, in order."""
    month = func.date_trunc("month", literal_column("at"), "UTC")
    months = connection.scalars(select(month).select_from(TableClause(partition)).distinct().order_by(month))
    return [one.astimezone(UTC) for one in months]


def _copy(connection: Connection, strays: str, name: str, month: datetime) -> None:
    """Make a table of one month's rows. It is no partition yet, so that no trigger takes them for new ones."""
    connection.execute(text(f'CREATE TABLE "{name}" (LIKE "{strays}" INCLUDING ALL)'))
    copy = text(f'INSERT INTO "{name}" SELECT * FROM "{strays}" WHERE at >= :start AND at < :end')  # noqa: S608 - our own names
    connection.execute(copy, {"start": month, "end": month_start(month, 1)})


def _attach(connection: Connection, table: str, name: str, first: datetime, last: datetime) -> None:
    connection.execute(text(f'ALTER TABLE "{table}" ATTACH PARTITION "{name}" {_bounds(first, last)}'))


def _bounds(first: datetime, last: datetime) -> str:
    """Of the partition from one month to another, both in it."""
    return f"FOR VALUES FROM ('{first.isoformat()}') TO ('{month_start(last, 1).isoformat()}')"


def create_ahead(connection: Connection) -> None:
    """Create this month's partition and those of the next months wherever one is missing."""
    wait_shortly(connection)
    for table in partitioned_tables(connection):
        for months in range(MONTHS_AHEAD + 1):
            start = month_start(clock.now(), months)
            name = partition_of(table, start)
            if connection.scalar(select(func.to_regclass(name))) is not None:
                continue
            try:
                with connection.begin_nested():
                    connection.execute(text(f'CREATE TABLE "{name}" PARTITION OF "{table}" {_bounds(start, start)}'))
            except DBAPIError:  # it is in use just now, or rows of that month lie in the default partition already
                log.warning("partition not created", table=table, month=f"{start:%Y-%m}")


@periodic("kernel:partitions:create", "17 3 * * *")
def create_partitions() -> None:
    """Every night, create what the coming months need, and what earlier ones would have needed."""
    with engine().connect() as connection:
        tables = partitioned_tables(connection)
    for table in tables:
        try:
            with engine().begin() as connection:
                give_strays_their_months(connection, table)
        except DBAPIError as error:
            log.warning("rows stay without a partition of their month", table=table, cause=type(error.orig).__name__)
    with engine().begin() as connection:
        create_ahead(connection)
