"""Counters that are exact over all processes and nodes: so many in a second, a minute, an hour, or a day in Chile.

A counter has several rows, its slots, each with its share of the limit. Who counts takes a slot that nobody holds, so
transactions that count the same thing do not wait for one another's commits; and where the shares are used up, so is
the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum

from sqlalchemy import BigInteger, SmallInteger, Text, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel.base import clock
from kernel.database.db import Base, new_session
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import periodic

SLOTS = 8
KEPT_AFTER_END = timedelta(days=1)
"""A node whose clock is behind still counts in the window that has ended for the others."""


class Counter(Base):
    """One slot of a counter in its newest window."""

    __tablename__ = "counter"
    unaudited = "it counts what is on record elsewhere"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    started_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    value: Mapped[int] = mapped_column(BigInteger)


class Window(Enum):
    """For how long is counted before a counter begins anew; in seconds, but for a day, which Chile's clocks make."""

    SECOND = 1
    MINUTE = 60
    HOUR = 3600
    DAY = 86400

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """The beginning and the end of the window that a time lies in. A day has 23 to 25 hours."""
        if self is not Window.DAY:
            start = datetime.fromtimestamp(now.timestamp() // self.value * self.value, now.tzinfo)
            return start, start + timedelta(seconds=self.value)
        day = clock.local(now).date()
        start, end = (datetime.combine(each, time(), clock.SANTIAGO) for each in (day, day + timedelta(days=1)))
        return start, end


@dataclass(frozen=True)
class Count:
    """A counter after one more was to be counted."""

    is_taken: bool
    """Whether it was counted: the limit allowed it."""
    used: int
    limit: int
    seconds_left: int
    """Until the window ends."""

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used, 0)


# A slot is free for one more while its window is an earlier one, or its share is not used up; and a limit that was
# lowered meanwhile holds for all slots together. Shares differ by one at most and add up to the limit.
TAKE = """
    WITH used AS (
        SELECT coalesce(sum(value) FILTER (WHERE started_at >= :start), 0) AS used
        FROM counter WHERE name = :name AND key = :key
    ), free AS (
        SELECT name, key, slot FROM counter
        WHERE name = :name AND key = :key AND (SELECT used FROM used) < :limit
          AND CASE WHEN started_at < :start THEN 0 ELSE value END
            < :limit / :slots + CASE WHEN slot < :limit % :slots THEN 1 ELSE 0 END
        ORDER BY {order} LIMIT 1 FOR UPDATE OF counter {held}
    )
    UPDATE counter SET
        value = CASE WHEN started_at < :start THEN 1 ELSE value + 1 END,
        started_at = greatest(started_at, :start), ends_at = greatest(ends_at, :end)
    FROM free WHERE counter.name = free.name AND counter.key = free.key AND counter.slot = free.slot
    RETURNING (SELECT used FROM used) + 1
"""
TAKE_FREE = text(TAKE.format(order="random()", held="SKIP LOCKED"))
TAKE_ANY = text(TAKE.format(order="slot", held=""))
"""The last ones before the limit may be held by others, who may yet give them back: these are waited for."""
CREATE = text("""
    INSERT INTO counter (name, key, slot, started_at, ends_at, value)
    SELECT :name, :key, slot, :start, :end, 0 FROM generate_series(0, CAST(:slots AS integer) - 1) AS slot
    ON CONFLICT DO NOTHING
""")
ADD = text("""
    INSERT INTO counter AS kept (name, key, slot, started_at, ends_at, value)
    VALUES (:name, :key, floor(random() * :slots), :start, :end, :count)
    ON CONFLICT (name, key, slot) DO UPDATE SET
        value = CASE WHEN kept.started_at < excluded.started_at THEN :count ELSE kept.value + :count END,
        started_at = greatest(kept.started_at, excluded.started_at),
        ends_at = greatest(kept.ends_at, excluded.ends_at)
""")


def take(session: Session, name: str, key: str, window: Window, limit: int, now: datetime | None = None) -> Count:
    """Count one more in the session's transaction, if the limit allows it; a rollback gives it back.

    name: of what is counted, `block:thing`. key: whose. Take it last: others may wait for it until the commit.
    """
    start, end = window.bounds(now or clock.now())
    seconds_left = max(round(end.timestamp() - (now or clock.now()).timestamp()), 1)
    place = {"name": name, "key": key, "start": start, "end": end, "slots": SLOTS}
    used = _take(session, {**place, "limit": limit}, place)
    return Count(used is not None, limit if used is None else used, limit, seconds_left)


def _take(session: Session, limited: dict[str, object], place: dict[str, object]) -> int | None:
    used: int | None = session.scalar(TAKE_FREE, limited)
    if used is None:
        used = session.scalar(TAKE_ANY, limited)
    if used is None:
        # There may be no slots yet; or others have just made them, whose commit is waited for here.
        session.execute(CREATE, place)
        used = session.scalar(TAKE_ANY, limited)
    return used


def add(session: Session, name: str, key: str, window: Window, count: int = 1, now: datetime | None = None) -> None:
    """Count without a limit, in the session's transaction."""
    start, end = window.bounds(now or clock.now())
    session.execute(ADD, {"name": name, "key": key, "start": start, "end": end, "slots": SLOTS, "count": count})


def used(session: Session, name: str, key: str, window: Window, now: datetime | None = None) -> int:
    """The count in the window of now."""
    start, _end = window.bounds(now or clock.now())
    counted = select(func.coalesce(func.sum(Counter.value), 0)).where(
        Counter.name == name, Counter.key == key, Counter.started_at >= start
    )
    return int(session.scalar(counted) or 0)


@periodic("kernel:counters:prune", "23 * * * *")
def prune_counters() -> None:
    """Every hour, forget the counters whose window ended a day ago."""
    until_empty(_remove_batch)


def _remove_batch() -> int:
    with new_session() as session:
        removed = remove_batch(session, Counter, Counter.ends_at < clock.now() - KEPT_AFTER_END)
        session.commit()
        return removed
