"""Reads of agencies, and of their tree on any day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Date, Exists, Select, and_, bindparam, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from identity.agencies.models import Agency, AgencyChangeRecord
from identity.agencies.rules import MAX_DEPTH, AgencyTimeline, Period
from kernel.base import clock
from kernel.base.errors import NotFound
from kernel.base.parties import Party, PartyKind
from kernel.database.db import Column, session
from kernel.database.pagination import Page, page
from kernel.jobs.access import AgencyRef

Columns = TypeVarTuple("Columns")
MOST_IN_TREE = 10_000


@dataclass(frozen=True)
class AgencyOnDay:
    """An agency as it is, was or will be on a day."""

    code: str
    name: str
    kind: str
    parent: str | None
    valid_from: date
    valid_until: date | None
    successor: str | None = None

    @property
    def period(self) -> Period:
        return Period(self.valid_from, self.valid_until)


AGENCY = (Agency.code, Agency.name, Agency.is_authority)
"""The first columns of an `AgencyRef`, in its order."""


def beside_active_agency(
    query: Select[*Columns], code: Column[str | None], day: ColumnElement[date]
) -> Select[*Columns]:
    """A query beside the agency that a column of it names, if it exists on the day, to select `AGENCY` with it."""
    return query.outerjoin(Agency, and_(Agency.code == code, is_active_on(day)))


def with_active_agency(query: Select[Any], code: Column[str], day: ColumnElement[date]) -> Select[Any]:
    """A query's rows, each with the agency that a column of it names, where that exists on the day, by name."""
    joined = query.add_columns(Agency).join(Agency, Agency.code == code).where(is_active_on(day))
    return joined.order_by(Agency.name, Agency.code)


def with_owning_agency(query: Select[Any], owner: Column[Party]) -> Select[Any]:
    """A query's rows, each with the agency that a column of it names as `agency:<code>`, None for another owner."""
    return query.add_columns(Agency).outerjoin(Agency, owner == literal(f"{PartyKind.AGENCY}:").concat(Agency.code))


def exists_on(code: Column[str] | str, day: ColumnElement[date]) -> Exists:
    """Whether an agency exists on a day."""
    return exists().where(Agency.code == code, is_active_on(day))


def find_agency(code: str) -> AgencyRef | None:
    """The agency with this state code, also one that has ended."""
    agency = session().scalar(select(Agency).where(Agency.code == code.replace("\x00", "")))
    return agency.ref if agency else None


def get_agency(code: str) -> Agency:
    """The agency with this state code, also one that has ended. Raises NotFound."""
    agency = session().scalar(select(Agency).where(Agency.code == code))
    if agency is None:
        raise NotFound()
    return agency


def list_agencies() -> list[AgencyRef]:
    """Every agency that there is or was, by its name."""
    return [agency.ref for agency in session().scalars(select(Agency).order_by(Agency.name, Agency.code))]


def active_agencies() -> list[AgencyRef]:
    """The agencies that exist today by their names, to choose from."""
    return [agency for agency in list_agencies() if agency.is_active]


def is_active_on(day: ColumnElement[date]) -> ColumnElement[bool]:
    """`Agency.is_active` in SQL."""
    return and_(Agency.valid_from <= day, or_(Agency.valid_until.is_(None), Agency.valid_until >= day))


def today_bound() -> ColumnElement[date]:
    """The day of a prepared query, whose parameter is `today`."""
    return bindparam("today", type_=Date())


def agencies_page(
    cursor: str | None = None,
    limit: int | None = None,
    *,
    on: date | None = None,
    kind: str | None = None,
    parent: str | None = None,
) -> Page[AgencyOnDay]:
    """Agencies in the order of their codes.

    on: only those that exist on that day, as they are then; without it all of them, as they are today. kind and
    parent: only those that have it then.
    """
    day = on or clock.today()
    query = select(Agency)
    if on is not None:
        query = query.where(is_active_on(literal(on)))
    if kind is not None:
        query = query.where(_on_day("kind", Agency.kind, day) == kind)
    if parent is not None:
        query = query.where(_on_day("parent", Agency.parent_code, day) == parent)
    rows: Page[Agency] = page(session(), query, [Agency.code], cursor=cursor, limit=limit, descending=False)
    on_day = _as_on_day([agency.code for agency in rows.items], day)
    return Page([on_day[agency.code] for agency in rows.items], rows.next)


def agency_on(code: str, day: date) -> AgencyOnDay:
    """One agency as it is on a day, whether or not it exists then. Raises NotFound."""
    agency = _as_on_day([code], day).get(code)
    if agency is None:
        raise NotFound()
    return agency


def path_to(agency: AgencyOnDay, day: date) -> Sequence[AgencyOnDay]:
    """The agencies above one on a day, from the top of the state down."""
    above: list[AgencyOnDay] = []
    while (parent := (above[0] if above else agency).parent) and len(above) < MAX_DEPTH:
        above.insert(0, agency_on(parent, day))
    return above


def tree_on(day: date) -> Sequence[AgencyOnDay]:
    """The agencies that exist on a day, by their names."""
    query = _select_on_day(day).where(is_active_on(literal(day)))
    agencies = [AgencyOnDay(*row) for row in session().execute(query.limit(MOST_IN_TREE))]
    return sorted(agencies, key=lambda agency: (agency.name.casefold(), agency.code))


def agencies_on(day: date) -> Sequence[AgencyOnDay]:
    """Every agency that there is or was, as it is on a day, by its code."""
    return [AgencyOnDay(*row) for row in session().execute(_select_on_day(day).order_by(Agency.code))]


def _as_on_day(codes: Sequence[str], day: date) -> Mapping[str, AgencyOnDay]:
    query = _select_on_day(day).where(Agency.code.in_(codes))
    return {row.code: AgencyOnDay(*row) for row in session().execute(query)}


def _select_on_day(day: date) -> Any:
    return select(
        Agency.code,
        _on_day("name", Agency.name, day),
        _on_day("kind", Agency.kind, day),
        _on_day("parent", Agency.parent_code, day),
        Agency.valid_from,
        Agency.valid_until,
        Agency.successor_code,
    )


def _on_day(field: str, current: InstrumentedAttribute[Any], day: date) -> ColumnElement[Any]:
    """The value of a field on a day: that of the last change until then, or else of the first one after it."""
    record = AgencyChangeRecord
    has = record.fields.has_key(field)
    recorded = (
        select(func.jsonb_build_array(record.fields[field]))
        .where(record.agency_code == Agency.code, has)
        .order_by(record.counts_from > day, func.abs(record.counts_from - literal(day)))
        .order_by(record.changed_at.desc(), record.id.desc())
        .limit(1)
        .correlate(Agency)
        .scalar_subquery()
    )
    # In an array, because a parent may have been taken away: that is a value too.
    return func.coalesce(recorded, func.jsonb_build_array(current)).op("->>")(0)


def timelines() -> dict[str, AgencyTimeline]:
    """Every agency's place over time, by its code."""
    record = AgencyChangeRecord
    moves: dict[str, list[tuple[date, str | None]]] = {}
    query = select(record.agency_code, record.counts_from, record.fields["parent"].astext)
    query = query.where(record.fields.has_key("parent")).order_by(record.counts_from, record.changed_at, record.id)
    for code, day, parent in session().execute(query):
        moves.setdefault(code, []).append((day, parent))
    agencies = select(Agency.code, Agency.valid_from, Agency.valid_until, Agency.parent_code)
    return {
        code: AgencyTimeline(code, Period(first, last), tuple(moves.get(code) or [(first, parent)]))
        for code, first, last, parent in session().execute(agencies)
    }


def changes_page(code: str, cursor: str | None = None, limit: int | None = None) -> Page[AgencyChangeRecord]:
    """List the changes of an agency, the latest entry first."""
    query = select(AgencyChangeRecord).where(AgencyChangeRecord.agency_code == code)
    return page(session(), query, [AgencyChangeRecord.changed_at, AgencyChangeRecord.id], cursor=cursor, limit=limit)


def names_of(codes: Iterable[str | None]) -> dict[str, str]:
    """The names of agencies by their codes."""
    query = select(Agency.code, Agency.name).where(Agency.code.in_([code for code in codes if code]))
    return {row.code: row.name for row in session().execute(query)}
