"""A state's tree as a CSV file: what stands in it, and what it would change.

As Chile's spreadsheets write it: with or without a byte order mark, in UTF-8, UTF-16 or Windows' Latin letters, parted
by commas, semicolons or tabs, days as 2026-03-01 or 01-03-2026. Parents may stand after their children.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from identity.agencies.rules import (
    KINDS,
    AgencyTimeline,
    Period,
    TreeFault,
    check_period,
    clean_code,
    clean_name,
    clean_norm,
    plain_words,
)
from kernel.base.errors import Invalid, Text, _

COLUMNS = ("code", "name", "kind", "parent", "valid_from", "valid_until", "norm")
NEEDED = ("code", "name", "kind")
MAX_LINES = 5_000
MAX_BYTES = 1_500_000
MOST_FAULTS = 50
IN_SPANISH = {
    "codigo": "code",
    "nombre": "name",
    "clase": "kind",
    "tipo": "kind",
    "depende de": "parent",
    "vigente desde": "valid_from",
    "vigente hasta": "valid_until",
    "norma": "norm",
}
KINDS_IN_SPANISH = {
    "ministerio": "ministry",
    "servicio": "service",
    "autonomo": "autonomous",
    "region": "region",
    "municipalidad": "municipality",
    "otro": "other",
}
_DAY = re.compile(r"(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})")


@dataclass(frozen=True)
class FileFault:
    """A fault of a file: on which line, in which column, and what to do."""

    line: int
    column: str
    message: Text

    def __str__(self) -> str:
        place = _("line %(line)s", line=self.line)
        if self.column:
            place = _("line %(line)s, column %(column)s", line=self.line, column=self.column)
        return f"{place}: {self.message}"


class FileRefused(Invalid):
    kind = "agency-file-refused"
    title = _("The file cannot be imported")
    explanation = _("Something in it is wrong. Nothing was changed.")
    remedy = _("Correct the lines named, and send the whole file again.")

    def __init__(self, faults: Sequence[FileFault]) -> None:
        self.faults = tuple(faults)
        messages = [str(fault) for fault in faults[:MOST_FAULTS]]
        if len(faults) > MOST_FAULTS:
            messages.append(str(_("And %(count)s more.", count=len(faults) - MOST_FAULTS)))
        super().__init__(fields={"file": messages})


@dataclass(frozen=True)
class Row:
    """An agency as a line of the file says it; a day that is not there is not said."""

    line: int
    code: str
    name: str
    kind: str
    parent: str | None
    valid_from: date | None
    valid_until: date | None
    norm: str


@dataclass(frozen=True)
class KnownAgency:
    """An agency as it is on the day from which the import counts."""

    name: str
    kind: str
    parent: str | None
    period: Period


@dataclass(frozen=True)
class Step:
    """The change that a line makes: `after`, by its field, of what was `before`; of a new agency all of it."""

    row: Row
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    period: Period

    @property
    def is_new(self) -> bool:
        return not self.before


def read_rows(content: bytes) -> list[Row]:
    """The agencies of a file. Raises FileRefused."""
    if len(content) > MAX_BYTES:
        raise FileRefused([FileFault(1, "", _("The file is larger than 1.5 MB: part it."))])
    lines = _lines(_decoded(content))
    try:
        number, header = next(lines)
        columns = _columns(number, header)
    except StopIteration as error:
        raise FileRefused(
            [FileFault(1, "", _("The file is empty: begin it with the names of the columns."))]
        ) from error
    rows: list[Row] = []
    faults: list[FileFault] = []
    for number, cells in lines:
        if len(rows) + len(faults) >= MAX_LINES:
            faults.append(FileFault(number, "", _("A file has at most 5,000 lines: part it.")))
            break
        result = _row(number, columns, cells)
        if isinstance(result, Row):
            rows.append(result)
        else:
            faults += result
    faults += _repeated(rows)
    if faults:
        raise FileRefused(sorted(faults, key=lambda fault: fault.line))
    return rows


def _decoded(content: bytes) -> str:
    try:
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What Excel calls CSV where it does not say UTF-8; five bytes mean nothing there.
        text = content.decode("cp1252", errors="replace")
    if "\x00" in text or "�" in text:
        raise FileRefused([FileFault(1, "", _("The file is no text: save it as CSV UTF-8 and send that."))])
    return text


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that say something, each with its number in the file."""
    first, _break, rest = text.partition("\n")
    begins = 0
    # Excel's own word about the separator.
    if named := re.fullmatch(r"sep=(.)\r?", first):
        text, begins, separator = rest, 1, named[1]
    else:
        separator = max(";,\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = begins + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield number, cells
            number = begins + reader.line_num + 1
    except csv.Error as error:
        message = _("From here on this is no CSV: a quotation mark is missing, or one is too much.")
        raise FileRefused([FileFault(number, "", message)]) from error


def _columns(number: int, header: Sequence[str]) -> list[str]:
    names = []
    faults = []
    for cell in header:
        plain = " ".join(plain_words(cell.replace("_", " ")))
        name = IN_SPANISH.get(plain, plain.replace(" ", "_").replace("parent_code", "parent"))
        if name in COLUMNS and name not in names:
            names.append(name)
        elif plain:
            known = ", ".join(COLUMNS)
            faults.append(FileFault(number, cell[:40], _("There is no such column, or twice: %(known)s.", known=known)))
        else:
            names.append("")
    for name in NEEDED:
        if name not in names:
            faults.append(
                FileFault(number, name, _("This column is missing: add it, with its name in the first line."))
            )
    if faults:
        raise FileRefused(faults)
    return names


def _row(number: int, columns: Sequence[str], cells: Sequence[str]) -> Row | list[FileFault]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        return [
            FileFault(number, "", _("This line has more cells than the first one: put what has a separator in “”."))
        ]
    # As `as_csv` keeps a spreadsheet from calculating.
    values = {
        name: re.sub(r"^'(?=[=+@-])", "", cell.strip()) for name, cell in zip(columns, cells, strict=False) if name
    }
    faults: list[FileFault] = []

    def checked(column: str, check: Any, *given: Any) -> Any:
        try:
            return check(*given)
        except Invalid as problem:
            messages = [message for several in problem.fields.values() for message in several]
            faults.append(FileFault(number, column, messages[0]))
            return None

    parent = values.get("parent", "")
    days = {name: checked(name, _day, values.get(name, "")) for name in ("valid_from", "valid_until")}
    if days["valid_from"] and not faults:
        checked("valid_until", check_period, days["valid_from"], days["valid_until"], ("valid_from", "valid_until"))
    row = Row(
        line=number,
        code=checked("code", clean_code, values.get("code", "")) or "",
        name=checked("name", clean_name, values.get("name", "")) or "",
        kind=checked("kind", _kind, values.get("kind", "")) or "",
        parent=checked("parent", clean_code, parent) if parent else None,
        valid_from=days["valid_from"],
        valid_until=days["valid_until"],
        norm=checked("norm", clean_norm, values.get("norm", "")) or "",
    )
    return faults or row


def _kind(text: str) -> str:
    plain = "".join(plain_words(text)[:1])
    kind = KINDS_IN_SPANISH.get(plain, plain)
    if kind not in KINDS:
        raise Invalid(fields={"kind": [_("Write one of these: %(kinds)s.", kinds=", ".join(KINDS))]})
    return kind


def _day(text: str) -> date | None:
    if not text:
        return None
    parts = _DAY.fullmatch(text)
    try:
        day = date(int(parts["y"]), int(parts["m"]), int(parts["d"])) if parts else date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(fields={"day": [_("Write a day such as 2026-03-01 or 01-03-2026.")]}) from error
    return check_period(day, None, ("day", "day")).first


def _repeated(rows: Iterable[Row]) -> Iterator[FileFault]:
    first: dict[str, int] = {}
    for row in rows:
        if row.code in first:
            yield FileFault(row.line, "code", _("This code stands on line %(line)s already.", line=first[row.code]))
        first.setdefault(row.code, row.line)


def plan_of(rows: Sequence[Row], known: Mapping[str, KnownAgency], counts_from: date) -> list[Step]:
    """Plan the changes of the agencies that are known; none for a line that says what counts already.

    A day that a line does not say stays as it is, and a new agency begins on the day from which the import counts.
    Raises FileRefused.
    """
    steps, faults = [], []
    for row in rows:
        now = known.get(row.code)
        first = row.valid_from or (now.period.first if now else counts_from)
        period = Period(first, row.valid_until or (now.period.last if now else None))
        if period.last and period.last < period.first:
            faults.append(FileFault(row.line, "valid_until", _("The last day cannot be before the first one.")))
        after: dict[str, Any] = {
            "name": row.name, "kind": row.kind, "parent": row.parent,
            "valid_from": period.first, "valid_until": period.last,
        }  # fmt: skip
        before: dict[str, Any] = {}
        if now is not None:
            was = {"name": now.name, "kind": now.kind, "parent": now.parent,
                   "valid_from": now.period.first, "valid_until": now.period.last}  # fmt: skip
            before = {field: value for field, value in was.items() if value != after[field]}
            after = {field: after[field] for field in before}
            if not after:
                continue
            if after.keys() & {"name", "kind", "parent"} and not period.covers(counts_from):
                message = _("It does not exist on %(day)s, from which this would count.", day=counts_from.isoformat())
                faults.append(FileFault(row.line, "valid_until", message))
        steps.append(Step(row, before, after, period))
    if faults:
        raise FileRefused(faults)
    return steps


def tree_after(
    tree: Mapping[str, AgencyTimeline], steps: Iterable[Step], counts_from: date
) -> dict[str, AgencyTimeline]:
    """The tree as it is once the steps are taken."""
    after = dict(tree)
    for step in steps:
        code, before = step.row.code, tree.get(step.row.code)
        if before is None:
            after[code] = AgencyTimeline(code, step.period, ((step.period.first, step.row.parent),))
            continue
        parents = before.parents
        if "parent" in step.after:
            moved = (counts_from, step.row.parent)
            parents = tuple(sorted([*parents, moved], key=lambda one: one[0]))
        after[code] = replace(before, period=step.period, parents=parents)
    return after


def faults_in_file(faults: Iterable[TreeFault], rows: Sequence[Row]) -> list[FileFault]:
    """List the faults of the tree, at the lines that cause them."""
    lines = {row.code: row.line for row in rows}
    problems = []
    for fault in faults:
        line = lines.get(fault.agency) or lines.get(fault.parent) or 1
        problems.append(FileFault(line, "parent", f"{fault.agency}: {fault.message}"))
    return problems


def as_csv(rows: Iterable[Sequence[Any]]) -> str:
    """A file of COLUMNS for a spreadsheet: with a byte order mark, and nothing that it would take for a formula."""
    file = io.StringIO(newline="")
    file.write("\ufeff")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(["" if cell is None else _plain(str(cell)) for cell in row])
    return file.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell
