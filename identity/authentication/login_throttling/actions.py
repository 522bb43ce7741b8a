"""Counting attempts, before they are looked at where there were failures, and forgiving those that were right."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, CTE, Text, and_, any_, bindparam, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from identity.authentication.login_throttling.models import SignInThrottle
from identity.authentication.login_throttling.rules import FORGET_FAILURES_AFTER, Counter, WaitBeforeTrying, one_more
from kernel.base import clock
from kernel.base.slots import Slot
from kernel.database.direct import Row
from kernel.database.prepared import PreparedQuery, PreparedWrite
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import periodic
from kernel.recording.work import Work, action, autonomous_work

_COLUMNS = (SignInThrottle.key, SignInThrottle.failures, SignInThrottle.counted_at, SignInThrottle.allowed_at)
COUNTERS = (
    select(*(func.array_agg(column) for column in _COLUMNS))
    .where(SignInThrottle.key == any_(bindparam("keys", type_=ARRAY(Text))))
    .subquery()
)
"""The state of the counters `keys`: one row, to be asked for along with something else, by the look-up of an
`attempt`.
"""


@dataclass
class AttemptsUnderWay:
    """The counters of the attempts that this process looks at without having counted them."""

    keys: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def noted(self, keys: Sequence[str]) -> Iterator[bool]:
        """Note an attempt while it lasts, unless there is one at any of its counters; whether it was."""
        with self.lock:
            if is_alone := self.keys.isdisjoint(keys):
                self.keys.update(keys)
        try:
            yield is_alone
        finally:
            if is_alone:
                with self.lock:
                    self.keys.difference_update(keys)


UNDER_WAY: Slot[AttemptsUnderWay] = Slot("sign_in_attempts", AttemptsUnderWay)


def _under_way() -> AttemptsUnderWay:
    return UNDER_WAY()


@contextmanager
def attempt(keys: Sequence[str], lookup: PreparedQuery, **parameters: Any) -> Iterator[tuple[Row, Sequence[str]]]:
    """Look at a password in the block; whatever the block raises is a failure.

    keys: of `counter_keys`. lookup: reads `COUNTERS`, and after them what is needed to look at the password; that is
    given, with the counters that a success has to `forgive`. Raises WaitBeforeTrying while the person or the place has
    to wait; such an attempt does not make the wait longer.

    An attempt is counted before it is looked at: a thousand at once are a thousand, one after another. But where there
    is no counter, and no such attempt is under way in this process, it is counted only if it fails, before the answer:
    most sign-ins are right at once, and write nothing. So of a thousand guesses sent at once, each process of the
    server may look at one more than the backoff allows, as long as nothing has failed. It is not more than one because
    an attempt is noted before it reads the counters, and until its failure is counted: the next one noted reads that.
    """
    with _under_way().noted(keys) as is_alone:
        row = lookup.one(keys=keys, **parameters)
        names, *values = (array or () for array in row[: len(_COLUMNS)])
        seen = {name: Counter(*counter) for name, *counter in zip(names, *values, strict=True)}
        if seen or not is_alone:
            _count_beforehand(keys, seen)
            yield row[len(_COLUMNS) :], keys
            return
        try:
            yield row[len(_COLUMNS) :], ()
        except BaseException:
            _count_failure(keys)
            raise


def _count_beforehand(keys: Sequence[str], seen: Mapping[str, Counter]) -> None:
    """Count an attempt that is to be looked at. Raises WaitBeforeTrying."""
    # The time of now, not of the read: what others have counted meanwhile lies behind it.
    now = clock.now()
    wait = _wait(seen.values(), now)
    if wait <= 0 and (changed := _count_as_seen(keys, seen, now)):
        wait = _count_attempt(changed)
    if wait > 0:
        raise WaitBeforeTrying(math.ceil(wait))


def _count_failure(keys: Sequence[str]) -> None:
    """Count an attempt that nobody had counted when it was looked at."""
    if changed := _count_as_seen(keys, {}, clock.now()):
        _count_attempt(changed, is_over=True)


def _wait(counters: Iterable[Counter | SignInThrottle], now: datetime) -> float:
    """The seconds until the last of the counters allows an attempt."""
    return max((counter.allowed_at - now for counter in counters), default=timedelta()).total_seconds()


_set_counters = PreparedWrite(
    text("""
WITH new AS (
    SELECT * FROM unnest(
        CAST(:key AS text[]), CAST(:failures AS float8[]), CAST(:allowed_at AS timestamptz[]),
        CAST(:seen_failures AS float8[]), CAST(:seen_at AS timestamptz[])
    ) AS new (key, failures, allowed_at, seen_failures, seen_at)
), counted AS (
    INSERT INTO sign_in_throttle AS kept (key, failures, counted_at, allowed_at)
    SELECT key, failures, CAST(:now AS timestamptz), allowed_at FROM new ORDER BY key COLLATE "C"
    ON CONFLICT (key) DO UPDATE
    SET failures = excluded.failures, counted_at = excluded.counted_at, allowed_at = excluded.allowed_at
    WHERE (kept.key, kept.failures, kept.counted_at) IN (SELECT key, seen_failures, seen_at FROM new)
    RETURNING key
)
SELECT array_agg(key), set_config('synchronous_commit', 'off', true) FROM counted
""")
)
"""Set counters that nobody has changed since they were seen, in the order of their names; returns which.

Everybody sees them at once, but the disk is not waited for: a guess that a crash of the server forgets is one guess.
"""


def _count_as_seen(keys: Sequence[str], seen: Mapping[str, Counter], now: datetime) -> list[str]:
    """Count an attempt at counters that were seen a moment ago; those that somebody else has changed meanwhile.

    It stays although what follows fails.
    """
    counters = {key: one_more(key, seen.get(key), now) for key in keys}
    row = _set_counters.alone(
        key=list(keys),
        failures=[counter.failures for counter in counters.values()],
        allowed_at=[counter.allowed_at for counter in counters.values()],
        seen_failures=[seen[key].failures if key in seen else None for key in keys],
        seen_at=[seen[key].counted_at if key in seen else None for key in keys],
        now=now,
    )
    counted = row[0] if row and row[0] else ()
    return [key for key in keys if key not in counted]


def take_guess(key: str) -> None:
    """Count a guess at something else than a password; `forgive_guess` where it was right. Raises WaitBeforeTrying."""
    if (wait := _count_attempt([key])) > 0:
        raise WaitBeforeTrying(math.ceil(wait))


def forgive_guess(key: str) -> None:
    """The guess was right: none of those before it counts any more."""
    forgive([key])


def _count_attempt(keys: Sequence[str], *, is_over: bool = False) -> float:
    """Count an attempt at each of the counters; the seconds to wait where it comes too early, and is not counted.

    is_over: it was looked at, and counts whenever it came.
    """
    with autonomous_work() as work:
        work.session.execute(
            insert(SignInThrottle)
            .values([{"key": key, "failures": 0, "counted_at": work.now, "allowed_at": work.now} for key in keys])
            .on_conflict_do_nothing()
        )
        counters = _locked(work, keys)
        now = clock.now()
        wait = _wait(counters, now)
        if wait <= 0 or is_over:
            for counter in counters:
                more = one_more(counter.key, Counter(counter.failures, counter.counted_at, counter.allowed_at), now)
                counter.failures, counter.counted_at, counter.allowed_at = more.failures, now, more.allowed_at
    return wait


def _locked(work: Work, keys: Sequence[str]) -> Sequence[SignInThrottle]:
    """The counters, locked always in the same order."""
    return work.session.scalars(
        select(SignInThrottle)
        .where(SignInThrottle.key.in_(keys))
        .order_by(SignInThrottle.key.collate("C"))
        .with_for_update()
    ).all()


def _forgiving() -> tuple[CTE, CTE]:
    name = SignInThrottle.key
    locked = (
        select(name)
        .where(name == any_(bindparam("forgiven", type_=ARRAY(Text))))
        .order_by(name.collate("C"))
        .with_for_update()
        .cte("locked")
    )
    concerned = name.in_(select(locked.c.key))
    has_more = and_(name.startswith("address:"), SignInThrottle.failures > 1)
    eased = update(SignInThrottle).where(concerned, has_more).values(failures=SignInThrottle.failures - 1)
    forgotten = delete(SignInThrottle).where(concerned, ~has_more)
    return eased.cte("eased"), forgotten.cte("forgotten")


FORGIVING = _forgiving()
"""Effects of a success on the counters `forgiven`, as parts of the statement that tells of it.

The account's failures are forgotten, but of the address's only this attempt: otherwise whoever has an account of their
own could wash an address clean after every hundred guesses at others.
"""
_forgive = PreparedWrite(select(literal(1)).add_cte(*FORGIVING))


def forgive(keys: Sequence[str]) -> None:
    """An attempt that was counted at these, if at any, was a success."""
    if keys:
        _forgive(forgiven=list(keys))


@periodic("identity:brakes:swept", cron="17 3 * * *")
def prune_counters() -> None:
    """Delete counters that nobody adds to any more, in batches."""
    until_empty(delete_old_counters)


@action
def delete_old_counters(work: Work) -> int:
    """One batch of counters that nobody adds to any more; how many."""
    return remove_batch(work.session, SignInThrottle, SignInThrottle.counted_at < work.now - FORGET_FAILURES_AFTER)
