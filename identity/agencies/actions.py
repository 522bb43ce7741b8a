"""Agencies come, change, move and end; officials are appointed to functions in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from identity.agencies.models import Agency, AgencyChangeRecord
from identity.agencies.queries import active_agencies, agency_on, names_of, timelines, tree_on
from identity.agencies.rules import (
    AgencyChange,
    AgencyCodeTaken,
    LastAuthority,
    Period,
    TreeFault,
    check_day,
    check_period,
    clean_code,
    clean_fields,
    clean_norm,
    faults_of_tree,
)
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound, Text, _
from kernel.jobs.jobs import periodic
from kernel.recording.work import Work, action

TAGS = {"name": "identity:agency:renamed", "kind": "identity:agency:kind-changed", "parent": "identity:agency:moved"}
LONGEST_LIST_OF_NAMES = 3


@action
def create_agency(
    work: Work,
    code: str,
    name: str,
    *,
    is_authority: bool = False,
    kind: str = "service",
    parent: str | None = None,
    valid_from: date | None = None,
    valid_until: date | None = None,
    norm: str = "",
) -> Agency:
    """Register an agency under its state code, from today on unless another day is named.

    Raises Invalid, also at `parent` where it cannot stand below that one, and AgencyCodeTaken at `code`.
    """
    agency = insert_agency(
        work,
        clean_code(code),
        name,
        is_authority=is_authority,
        kind=kind,
        parent=parent or None,
        period=check_period(valid_from or clock.today(), valid_until, ("valid_from", "valid_until")),
        norm=norm,
    )
    check_tree(work, agency.code, agency.valid_from)
    return agency


def insert_agency(
    work: Work,
    code: str,
    name: str,
    *,
    is_authority: bool = False,
    kind: str,
    parent: str | None,
    period: Period,
    norm: str,
) -> Agency:
    """Add an agency, whose place the caller checks when all is there. Raises Invalid, AgencyCodeTaken."""
    hold_tree(work)
    fields = clean_fields(code, {"name": name, "kind": kind, "parent": parent})
    agency = Agency(
        code=code,
        name=fields["name"],
        is_authority=is_authority,
        created_at=work.now,
        kind=fields["kind"],
        parent_code=fields["parent"],
        valid_from=period.first,
        valid_until=period.last,
    )
    work.add(agency)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise AgencyCodeTaken(fields={"code": [_("Another agency has this code.")]}) from error
    norm = clean_norm(norm)
    fields["valid_from"] = period.first.isoformat()
    if period.last:
        fields["valid_until"] = period.last.isoformat()
    _note(work, agency, period.first, fields, norm)
    work.record("identity:agency:created", agency, is_authority=is_authority, norm=norm, **fields)
    return agency


@action
def change_agency(work: Work, code: str, change: AgencyChange) -> Agency:
    """Change an agency's name, kind or parent from a day on; its code, and all that hangs on it, stays.

    Raises NotFound, and Invalid also where nothing would change or it cannot stand below that parent.
    """
    agency = store_change(work, code, change)
    if agency is None:
        raise Invalid(fields={"name": [_("This is what counts on that day already. Change something, or cancel.")]})
    check_tree(work, code, change.counts_from)
    return agency


def store_change(work: Work, code: str, change: AgencyChange) -> Agency | None:
    """Write a change down, None where it changes nothing; the caller checks the tree. Raises Invalid, NotFound."""
    hold_tree(work)
    agency = locked_agency(work, code)
    if not agency.period.covers(check_day(change.counts_from, "counts_from")):
        raise Invalid(fields={"counts_from": [_("The agency does not exist on that day.")]})
    before, wanted = agency_on(code, change.counts_from), clean_fields(code, change.fields)
    changed = {field: value for field, value in wanted.items() if value != getattr(before, field)}
    if not changed:
        return None
    norm = clean_norm(change.norm)
    _note(work, agency, change.counts_from, changed, norm)
    _take_effect(agency)
    for field, after in changed.items():
        values = {"before": getattr(before, field), "after": after}
        work.record(TAGS[field], agency, **values, counts_from=change.counts_from.isoformat(), norm=norm)
    return agency


@action
def set_validity(
    work: Work, code: str, valid_from: date, valid_until: date | None, *, successor: str | None = None, norm: str = ""
) -> Agency:
    """Say from when until when an agency exists, and which one comes after it; without a last day it goes on.

    Raises NotFound, LastAuthority, and Invalid also at `valid_until` where others stand below it for longer.
    """
    agency = store_validity(work, code, Period(valid_from, valid_until), successor, norm)
    if agency is None:
        raise Invalid(fields={"valid_until": [_("This is what counts already. Change something, or cancel.")]})
    check_tree(work, code, valid_from, field="valid_until")
    return agency


def store_validity(work: Work, code: str, period: Period, successor: str | None, norm: str) -> Agency | None:
    """Write the validity down, None where it changes nothing; the caller checks the tree."""
    hold_tree(work)
    agency = locked_agency(work, code)
    period = check_period(period.first, period.last, ("valid_from", "valid_until"))
    after = _successor(work, agency, period, successor or None)
    fields: dict[str, Any] = {}
    for field, value, before in (
        ("valid_from", period.first, agency.valid_from),
        ("valid_until", period.last, agency.valid_until),
        ("successor", after, agency.successor_code),
    ):
        if value != before:
            fields[field] = value.isoformat() if isinstance(value, date) else value
    if not fields:
        return None
    norm = clean_norm(norm)
    agency.valid_from, agency.valid_until, agency.successor_code = period.first, period.last, after
    _note(work, agency, period.last or clock.today(), fields, norm)
    work.record("identity:agency:validity-changed", agency, norm=norm, **fields)
    if (
        agency.is_authority
        and period.last
        and not any(one.is_authority for one in active_agencies() if one.code != code)
    ):
        raise LastAuthority(fields={"valid_until": [LastAuthority.explanation]})
    return agency


def _successor(work: Work, agency: Agency, period: Period, code: str | None) -> str | None:
    if code is None or period.last is None:
        return None
    successor = work.session.scalar(select(Agency).where(Agency.code == code))
    if (
        successor is None
        or successor.code == agency.code
        or (successor.valid_until and successor.valid_until <= period.last)
    ):
        raise Invalid(fields={"successor": [_("Choose an agency that exists after that day.")]})
    return successor.code


def hold_tree(work: Work) -> None:
    """Until this transaction ends nobody else changes the tree: two moves that make a circle only together wait."""
    work.session.execute(text("SELECT pg_advisory_xact_lock(hashtext('agency tree'))"))


def check_tree(work: Work, code: str, since: date, *, field: str = "parent") -> None:
    """Raise Invalid at the field if the tree is wrong on any day after a change of this agency."""
    work.session.flush()
    faults = faults_of_tree(timelines(), since)
    if not faults:
        return
    own = next((fault for fault in faults if fault.agency == code), None)
    raise Invalid(fields={field: [own.message if own else _explain_below(faults)]})


def _explain_below(faults: list[TreeFault]) -> Text:
    codes = list(dict.fromkeys(fault.agency for fault in faults))
    if faults[0].kind == "depth":
        return _("The agencies below it would be more than eight levels deep: choose a place further up.")
    known, more = names_of(codes[:LONGEST_LIST_OF_NAMES]), len(codes) - LONGEST_LIST_OF_NAMES
    names = ", ".join(f"{known.get(code, code)} ({code})" for code in codes[:LONGEST_LIST_OF_NAMES])
    return _(
        "These stand below it for longer: %(names)s. Move or end them first.",
        names=names + (f" … +{more}" if more > 0 else ""),
    )


def _note(work: Work, agency: Agency, counts_from: date, fields: Mapping[str, Any], norm: str) -> None:
    """Keep a change; of an agency without a history also what it was before."""
    known = select(func.count()).select_from(AgencyChangeRecord).where(AgencyChangeRecord.agency_code == agency.code)
    begins = {"name": agency.name, "kind": agency.kind, "parent": agency.parent_code}
    # Registered by a node of the version before, while this one serves already.
    if not work.session.scalar(known) and not begins.keys() <= fields.keys():
        work.add(
            AgencyChangeRecord(
                agency_code=agency.code,
                counts_from=agency.valid_from,
                fields=begins,
                norm="",
                changed_at=agency.created_at,
                changed_by="",
                changed_by_name="",
            )
        )
        work.session.flush()
    work.add(
        AgencyChangeRecord(
            agency_code=agency.code,
            counts_from=counts_from,
            fields=dict(fields),
            norm=norm,
            changed_at=work.now,
            changed_by=work.by.id,
            changed_by_name=work.by.name,
        )
    )
    work.session.flush()


def _take_effect(agency: Agency) -> list[str]:
    """Let the row say what counts today; which fields have changed by it."""
    today = agency_on(agency.code, clock.today())
    before = agency.name, agency.kind, agency.parent_code
    agency.name, agency.kind, agency.parent_code = today.name, today.kind, today.parent
    after = agency.name, agency.kind, agency.parent_code
    return [field for field, old, new in zip(TAGS, before, after, strict=True) if old != new]


@periodic("identity:agencies:take-effect", "1 * * * *")
def take_effect() -> None:
    """At the beginning of each day in Chile, whose hour is not always the same in UTC: what counts from today on."""
    apply_due_changes()


@action
def apply_due_changes(work: Work) -> int:
    """Let the changes whose day has come count; of how many agencies."""
    hold_tree(work)
    today = {agency.code: agency for agency in tree_on(clock.today())}
    changed = 0
    for agency in work.session.scalars(select(Agency).where(Agency.code.in_(today))):
        now = today[agency.code]
        if (agency.name, agency.kind, agency.parent_code) == (now.name, now.kind, now.parent):
            continue
        fields = _take_effect(agency)
        work.record("identity:agency:change-took-effect", agency, fields=fields)
        changed += 1
    return changed


def locked_agency(work: Work, code: str) -> Agency:
    """The agency, which nobody else changes until this transaction ends. Raises NotFound."""
    query = select(Agency).where(Agency.code == code).with_for_update()
    agency = work.session.scalar(query.execution_options(populate_existing=True))
    if agency is None:
        raise NotFound()
    return agency
