"""Tables that grow without end are partitioned by month of their `at`, created ahead and dropped whole when retention
ends.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from kernel import clock
from kernel.db import engine
from kernel.jobs import periodic

MONTHS_AHEAD = 3
log = structlog.get_logger(__name__)


def partition_by_month(table: str) -> list[str]:
    """The statements of a migration that has just created `table` partitioned by RANGE (at): a default partition, so
    that no write ever fails.
    """
    return [f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT']


def month_start(instant: datetime, months: int = 0) -> datetime:
    """The first instant of the month that lies `months` after that of `instant`."""
    number = instant.year * 12 + instant.month - 1 + months
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def partitioned_tables(connection: Connection) -> list[str]:
    found = connection.scalars(
        text("SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid ORDER BY 1")
    )
    return list(found)


def create_ahead(connection: Connection) -> None:
    """Create this month's partition and those of the next months wherever one is missing."""
    for table in partitioned_tables(connection):
        for months in range(MONTHS_AHEAD + 1):
            start, end = month_start(clock.now(), months), month_start(clock.now(), months + 1)
            name = f"{table}_y{start:%Y}m{start:%m}"
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
            except DBAPIError:  # rows of that month already lie in the default partition: they stay there
                log.warning("partition not created", table=table, month=f"{start:%Y-%m}")


@periodic("kernel:partitions:create", "17 3 * * *")
def create_partitions() -> None:
    """Every night, create what the coming months need."""
    with engine().begin() as connection:
        create_ahead(connection)
