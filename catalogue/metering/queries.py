"""How much an agreement is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Date, cast, func, select

from catalogue.metering.models import GatewayCall, GatewayDay
from catalogue.metering.rules import Failure
from kernel.base import clock
from kernel.database.db import session

DAYS = 30


@dataclass(frozen=True)
class Day:
    """One day, in Santiago, of an agreement."""

    day: date
    calls: int
    failed: int
    unfinished: int
    """Those under way, and those whose end could not be written down."""
    milliseconds: int
    """Median time of the calls that ended."""


def by_day(agreement: str, days: int = DAYS) -> Sequence[Day]:
    """The last days of an agreement's use, the oldest first; days without calls count zero."""
    today = clock.local(clock.now()).date()
    first = today - timedelta(days=days - 1)
    start = datetime(first.year, first.month, first.day, tzinfo=clock.SANTIAGO)
    day = cast(func.timezone(str(clock.SANTIAGO), GatewayCall.at), Date)
    query = (
        select(
            day.label("day"),
            func.count().label("calls"),
            func.count().filter(GatewayCall.failed.is_not(None)).label("failed"),
            func.count().filter(GatewayCall.status.is_(None)).label("unfinished"),
            func.coalesce(func.percentile_disc(0.5).within_group(GatewayCall.milliseconds), 0).label("milliseconds"),
        )
        .where(GatewayCall.agreement == agreement, GatewayCall.at >= start)
        .group_by(day)
    )
    counted = {
        row.day: Day(row.day, row.calls, row.failed, row.unfinished, row.milliseconds)
        for row in session().execute(query)
    }
    each = (first + timedelta(days=number) for number in range(days))
    return [counted.get(one, Day(one, 0, 0, 0, 0)) for one in each]


def calls_today(agreement: str) -> int:
    """How many of today's calls, in Santiago, have been made."""
    query = select(GatewayDay.calls).where(
        GatewayDay.agreement == agreement, GatewayDay.day >= clock.local(clock.now()).date()
    )
    return session().scalar(query) or 0


def last_failures(agreement: str, limit: int = 10) -> Sequence[GatewayCall]:
    """The calls that failed last, to be looked for by their trace in either agency's logs."""
    query = select(GatewayCall).where(GatewayCall.agreement == agreement, GatewayCall.failed.in_(list(Failure)))
    return session().scalars(query.order_by(GatewayCall.at.desc()).limit(limit)).all()
