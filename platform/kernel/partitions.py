"""Tables that grow without end are partitioned by month of their `at`: created ahead, and dropped whole when their time
is over (`kernel.retention`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from kernel import clock
from kernel.db import engine
from kernel.jobs import periodic

MONTHS_AHEAD = 3
WAITS_FOR_LOCKS = "500ms"
"""Whoever wants the table queues behind our waiting for its lock, so it is short; the job comes again."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Kept:
    """How long a partitioned table keeps its rows; a model of such a table has one as `kept`.

    setting: the setting that says for how many months. unfinished: what holds, in SQL, for a row that must not go yet.
    told: SQL aggregates over a partition that the record of its end tells, by name.
    """

    setting: str
    unfinished: str = "false"
    told: tuple[tuple[str, str], ...] = ()


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
    """What the partition of a month is called."""
    return f"{table}_y{month:%Y}m{month:%m}"


def partitioned_tables(connection: Connection) -> list[str]:
    found = connection.scalars(
        text("SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid ORDER BY 1")
    )
    return list(found)


def partitions(connection: Connection, table: str) -> list[str]:
    """The names of a table's partitions, the oldest month first."""
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table) ORDER BY 1"
    return list(connection.scalars(text(query), {"table": table}))


def wait_shortly(connection: Connection) -> None:
    """Let the statements of this transaction fail rather than keep others waiting behind them."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{WAITS_FOR_LOCKS}'"))


def create_ahead(connection: Connection) -> None:
    """Create this month's partition and those of the next months wherever one is missing."""
    wait_shortly(connection)
    for table in partitioned_tables(connection):
        for months in range(MONTHS_AHEAD + 1):
            start, end = month_start(clock.now(), months), month_start(clock.now(), months + 1)
            name = partition_of(table, start)
            if connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}):
                continue
            try:
                with connection.begin_nested():
                    connection.execute(
                        text(
                            f'CREATE TABLE "{name}" PARTITION OF "{table}" '
                            f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
                        )
                    )
            except DBAPIError:  # it is in use just now, or rows of that month lie in the default partition already
                log.warning("partition not created", table=table, month=f"{start:%Y-%m}")


@periodic("kernel:partitions:create", "17 3 * * *")
def create_partitions() -> None:
    """Every night, create what the coming months need."""
    with engine().begin() as connection:
        create_ahead(connection)
