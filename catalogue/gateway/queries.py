"""The calls through the gateway, as they are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Date, cast, func, select

from catalogue.gateway.models import GatewayCall
from catalogue.gateway.rules import DAILY_CALLS, Failure
from kernel.base import clock
from kernel.database.counters import Window, used
from kernel.database.db import session


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


def days_with_calls(agreement: str, first: date) -> Sequence[Day]:
    """The days from the first on, in Santiago, on which an agreement was used."""
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
    return [Day(*row) for row in session().execute(query)]


def calls_today(agreement: str) -> int:
    """The number of today's calls, in Santiago."""
    return used(session(), DAILY_CALLS, agreement, Window.DAY)


def last_failures(agreement: str, limit: int = 10) -> Sequence[GatewayCall]:
    """The calls that failed last, to be looked for by their trace in either agency's logs."""
    query = select(GatewayCall).where(GatewayCall.agreement == agreement, GatewayCall.failed.in_(list(Failure)))
    return session().scalars(query.order_by(GatewayCall.at.desc()).limit(limit)).all()
