"""Agencies: their state codes, and their place among the others over time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from kernel.base.errors import Conflict, Invalid, Text, _
from kernel.base.text import fault_of_line

MAX_NAME = 200
MAX_NORM = 300
MAX_DEPTH = 8
EARLIEST, LATEST = date(1800, 1, 1), date(2199, 12, 31)

KINDS: Mapping[str, Text] = {
    "ministry": _("Ministry"),
    "service": _("Public service"),
    "autonomous": _("Autonomous body"),
    "region": _("Regional government"),
    "municipality": _("Municipality"),
    "other": _("Other"),
}


class AgencyCodeTaken(Conflict):
    kind = "agency-code-taken"
    title = _("This agency code is already taken")
    explanation = _("Every agency has a state code of its own, and another agency has this one.")
    remedy = _("Check the code with the state codes manager.")


class LastAuthority(Conflict):
    kind = "last-authority"
    title = _("The state needs a digital-government authority")
    explanation = _("This agency is the only authority. If it ended, nobody could register or change an agency.")
    remedy = _("Register the agency that takes its place as an authority first.")


@dataclass(frozen=True)
class Period:
    """The days from the first to the last, both among them; without a last one it goes on."""

    first: date
    last: date | None = None

    def covers(self, day: date) -> bool:
        return self.first <= day <= (self.last or date.max)

    def contains(self, other: Period) -> bool:
        return self.first <= other.first and (other.last or date.max) <= (self.last or date.max)

    def overlaps(self, other: Period) -> bool:
        return self.first <= (other.last or date.max) and other.first <= (self.last or date.max)


@dataclass(frozen=True)
class AgencyChange:
    """A change of an agency from a day on, and the norm that makes it.

    fields: the new `name`, `kind` or `parent`; what is not named stays as it was at each time.
    """

    fields: Mapping[str, str | None]
    counts_from: date
    norm: str = ""


@dataclass(frozen=True)
class AgencyTimeline:
    """An agency in the tree over time. parents: the days from which each counts, the later word on a day last."""

    code: str
    period: Period
    parents: tuple[tuple[date, str | None], ...] = ()

    def slices(self) -> Iterator[tuple[Period, str | None]]:
        """The parent of each time in turn, from the agency's first day to its last."""
        began: dict[date, str | None] = {}
        for day, parent in self.parents:
            began[max(day, self.period.first)] = parent
        # Before the first word, that counts too.
        first, *later = sorted(began) or [self.period.first]
        starts = [(self.period.first, began.get(first))]
        starts += [(day, began[day]) for day in later if self.period.covers(day)]
        for (day, parent), (following, _parent) in pairwise(starts):
            yield Period(day, following - timedelta(days=1)), parent
        yield Period(starts[-1][0], self.period.last), starts[-1][1]

    def parent_on(self, day: date) -> str | None:
        """The parent on a day of its time."""
        return next((parent for period, parent in self.slices() if period.covers(day)), None)


@dataclass(frozen=True)
class TreeFault:
    """A fault of an agency's place. kind: circle, depth, or parent for one that is not there all that time."""

    kind: str
    agency: str
    parent: str

    @property
    def message(self) -> Text:
        """A sentence that says what is wrong, and what to do."""
        if self.kind == "circle":
            return _("%(parent)s stands below this agency: move it first, or choose another one.", parent=self.parent)
        if self.kind == "depth":
            return _("The tree would be more than eight levels deep: choose a place further up.")
        return _(
            "%(parent)s does not exist during all that time: choose another agency, or other days.", parent=self.parent
        )


def faults_of_tree(tree: Mapping[str, AgencyTimeline], since: date) -> list[TreeFault]:
    """List the faults of the tree on any day. since: the day before which no agency has moved by what is checked."""
    slices = {code: tuple(timeline.slices()) for code, timeline in tree.items()}
    faults = [
        TreeFault("parent", code, parent)
        for code, own in slices.items()
        for period, parent in own
        if parent is not None and (parent not in tree or not tree[parent].period.contains(period))
    ]
    # A circle, or a chain that is too long, begins on the day on which the last of its links does.
    moves = sorted({period.first for own in slices.values() for period, _parent in own[1:] if period.first >= since})
    for code, timeline in tree.items():
        days = [timeline.period.first, *(day for day in moves if timeline.period.covers(day))]
        faults += _faults_above(code, days, slices)
    return faults


def _faults_above(
    code: str, days: Iterable[date], slices: Mapping[str, tuple[tuple[Period, str | None], ...]]
) -> Iterator[TreeFault]:
    """At most one fault of the way up from an agency on each of the days."""
    for day in days:
        above, steps = code, 0
        while (parent := _parent_on(slices.get(above, ()), day)) is not None:
            above, steps = parent, steps + 1
            if above == code:
                yield TreeFault("circle", code, _parent_on(slices[code], day) or "")
                return
            if steps >= MAX_DEPTH:
                yield TreeFault("depth", code, _parent_on(slices[code], day) or "")
                return


def _parent_on(slices: tuple[tuple[Period, str | None], ...], day: date) -> str | None:
    return next((parent for period, parent in slices if period.covers(day)), None)


def clean_code(code: str) -> str:
    """A state code such as AE001. Raises Invalid."""
    cleaned = unicodedata.normalize("NFKC", code[:32]).strip().upper()
    if not is_code(cleaned):
        raise Invalid(fields={"code": [_("A state code is two letters and three to five digits, for example AE001.")]})
    return cleaned


_CODE = re.compile(r"[A-Z]{2}[0-9]{3,5}")


def is_code(code: str) -> bool:
    """Whether an agency could have this code."""
    return bool(_CODE.fullmatch(code))


def clean_name(name: str) -> str:
    """An agency's name on one line. Raises Invalid."""
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not 2 <= len(cleaned) <= MAX_NAME or not cleaned.isprintable():
        raise Invalid(fields={"name": [_("A name has from 2 to 200 letters.")]})
    return cleaned


def clean_norm(norm: str) -> str:
    """The norm or resolution behind a change, on one line; empty where none is named. Raises Invalid."""
    cleaned = " ".join(unicodedata.normalize("NFC", norm).split())
    if len(cleaned) > MAX_NORM:
        raise Invalid(fields={"norm": [_("Name the norm in at most 300 letters.")]})
    if fault := fault_of_line(cleaned):
        raise Invalid(fields={"norm": [fault]})
    return cleaned


def check_kind(kind: str) -> str:
    """One of the kinds of agencies. Raises Invalid."""
    if kind not in KINDS:
        raise Invalid(fields={"kind": [_("Choose one of the kinds.")]})
    return kind


def clean_fields(code: str, fields: Mapping[str, str | None]) -> dict[str, str | None]:
    """An agency's name, kind and parent, as far as they are named. Raises Invalid."""
    cleaned: dict[str, str | None] = {}
    if "name" in fields:
        cleaned["name"] = clean_name(fields["name"] or "")
    if "kind" in fields:
        cleaned["kind"] = check_kind(fields["kind"] or "")
    if "parent" in fields:
        cleaned["parent"] = fields["parent"] or None
        if cleaned["parent"] == code:
            raise Invalid(fields={"parent": [_("No agency stands below itself: choose another one.")]})
    return cleaned


def check_day(day: date, field: str) -> date:
    """A day that a law could name. Raises Invalid at the field."""
    if not EARLIEST <= day <= LATEST:
        raise Invalid(fields={field: [_("Write a date between the years 1800 and 2199.")]})
    return day


def check_period(first: date, last: date | None, names: tuple[str, str]) -> Period:
    """The days from the first to the last. names: the fields of both. Raises Invalid."""
    check_day(first, names[0])
    if last is not None and check_day(last, names[1]) < first:
        raise Invalid(fields={names[1]: [_("The last day cannot be before the first one.")]})
    return Period(first, last)


class Placed(Protocol):
    """An agency in the tree of one day."""

    @property
    def code(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def parent(self) -> str | None: ...


P = TypeVar("P", bound=Placed)


@dataclass(frozen=True)
class Branch(Generic[P]):
    """An agency and what stands below it. is_match: whether it is what was looked for, or only on the way there."""

    agency: P
    below: tuple[Branch[P], ...]
    is_match: bool


def branches_of(agencies: Sequence[P], wanted: str = "") -> tuple[Branch[P], ...]:
    """The tree of one day's agencies, in their order; of those wanted by name or code with the way to them.

    An agency whose parent is not among them stands at the top.
    """
    words = plain_words(wanted)
    codes = {agency.code for agency in agencies}
    below: dict[str | None, list[P]] = {}
    for agency in agencies:
        below.setdefault(agency.parent if agency.parent in codes else None, []).append(agency)

    def grow(parent: str | None, depth: int) -> tuple[Branch[P], ...]:
        grown = []
        for agency in below.get(parent, ()) if depth <= MAX_DEPTH + 1 else ():
            children = grow(agency.code, depth + 1)
            is_match = all(word in " ".join(plain_words(f"{agency.code} {agency.name}")) for word in words)
            if is_match or children:
                grown.append(Branch(agency, children, is_match))
        return tuple(grown)

    return grow(None, 0)


def plain_words(text: str) -> list[str]:
    """The words of a text without case and accents, to look for them."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char)).split()
