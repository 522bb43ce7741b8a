"""Pending decisions: what waits for whom, in every block, as one list.

A capability hands in its kinds of things that wait (`Composition.pending_kinds`), each with a statement. They are put
together to one statement, so the list is read in pages of one order, however many blocks there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Select,
    Subquery,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from kernel.base import clock, errors
from kernel.base.parties import Party
from kernel.base.slots import Slot
from kernel.database.db import session
from kernel.database.pagination import Page, page_of_rows
from kernel.jobs.access import Principal

PendingQuery = Callable[[str], Select[Any]]
"""A statement of what waits for an agency, by its code, in the columns of `pending_columns`."""


@dataclass(frozen=True)
class PendingKind:
    """A kind of thing that waits for somebody to decide or do something.

    name: its stable name, for programs. label, plural: one and several of it, in words. href: the page that lists them.
    roles: whoever has one of them at the agency may decide. is_for_authority: whether the authority decides.
    """

    name: str
    label: errors.Text
    plural: errors.Text
    href: str
    query: PendingQuery
    roles: frozenset[str]
    is_for_authority: bool = False

    def is_for(self, reader: Principal) -> bool:
        """Whether the reader may decide it; an agency's own system sees all that waits for the agency."""
        if reader.agency is None:
            return False
        if reader.kind == "machine":
            return reader.agency.is_authority or not self.is_for_authority
        return bool(self.roles & reader.roles)


@dataclass(frozen=True)
class PendingDecision:
    """Something that waits: of which kind, for whom, since when, and when it is due, if it has a term."""

    kind: PendingKind
    party: Party
    title: str
    since: datetime
    due: datetime | None
    href: str
    is_overdue: bool


@dataclass(frozen=True)
class PendingCount:
    """The number of a kind that wait."""

    kind: PendingKind
    count: int


PENDING_KINDS: Slot[list[PendingKind]] = Slot("pending_kinds", list)


def pending_columns(
    key: ColumnElement[Any] | Any,
    title: ColumnElement[str] | Any,
    since: ColumnElement[datetime] | Any,
    href: ColumnElement[str] | Any,
    due: ColumnElement[datetime] | Any | None = None,
) -> tuple[ColumnElement[Any], ...]:
    """The columns of a kind's statement. key: what is unique in the kind. href: the path of the page to decide it."""
    return (
        cast(key, Text).label("key"),
        cast(title, Text).label("title"),
        since.label("since"),
        cast(due if due is not None else null(), DateTime(timezone=True)).label("due"),
        cast(href, Text).label("href"),
    )


def pending_decisions(
    reader: Principal, *, for_authority: bool | None = None, cursor: str | None = None, limit: int | None = None
) -> Page[PendingDecision]:
    """List what waits for the reader at the agency acted for: what is overdue first, and of that the oldest.

    for_authority: only what waits for the authority, or only what waits for the agency itself. Raises Invalid for a
    wrong cursor or limit.
    """
    kinds = {kind.name: kind for kind in _kinds_for(reader, for_authority)}
    if not kinds:
        return Page([], None)
    waiting = _waiting(kinds.values(), reader.acting_agency.code)
    is_late = and_(waiting.c.due.is_not(None), waiting.c.due < bindparam("now", clock.now()))
    ranked = select(case((is_late, 0), else_=1).label("rank"), *waiting.c).subquery("ranked")
    keys = [ranked.c.rank, ranked.c.since, ranked.c.kind, ranked.c.key]
    rows = page_of_rows(session(), select(ranked), keys, cursor=cursor, limit=limit, descending=False)
    party = Party.agency(reader.acting_agency.code)
    return Page(
        [
            PendingDecision(kinds[row.kind], party, row.title, row.since, row.due, row.href, row.rank == 0)
            for row in rows.items
        ],
        rows.next,
    )


def count_pending(reader: Principal) -> list[PendingCount]:
    """The kinds of which any waits for the reader, each with its number, in the order of the blocks."""
    kinds = list(_kinds_for(reader, None))
    if not kinds:
        return []
    waiting = _waiting(kinds, reader.acting_agency.code)
    counted = session().execute(select(waiting.c.kind, func.count()).group_by(waiting.c.kind))
    counts = {row[0]: row[1] for row in counted}
    return [PendingCount(kind, counts[kind.name]) for kind in kinds if kind.name in counts]


def _kinds_for(reader: Principal, for_authority: bool | None) -> Iterable[PendingKind]:
    return (kind for kind in PENDING_KINDS() if kind.is_for(reader) and for_authority in (None, kind.is_for_authority))


def _waiting(kinds: Iterable[PendingKind], agency: str) -> Subquery:
    """Everything of these kinds as one table."""
    parts = []
    for kind in kinds:
        part = kind.query(agency).subquery()
        parts.append(select(literal(kind.name, Text).label("kind"), *part.c))
    return union_all(*parts).subquery("waiting")
