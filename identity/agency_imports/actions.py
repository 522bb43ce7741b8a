"""A state's tree comes as a file: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from identity.agencies.actions import hold_tree, insert_agency, store_change, store_validity
from identity.agencies.queries import get_agency
from identity.agencies.rules import AgencyChange, LastAuthority
from identity.agency_imports.queries import plan
from identity.agency_imports.rules import FileFault, FileRefused, Row, Step
from kernel.recording.work import Work, action

IN_PLACE = ("name", "kind", "parent")


@action
def import_tree(work: Work, rows: Sequence[Row], counts_from: date) -> list[Step]:
    """Register and change the agencies of a file; what it changes counts from the day. Raises FileRefused."""
    hold_tree(work)
    steps = plan(rows, counts_from)
    for step in steps:
        try:
            _take(work, step, counts_from)
        except LastAuthority as problem:
            raise FileRefused([FileFault(step.row.line, "valid_until", problem.explanation)]) from problem
    if steps:
        changed = sum(not step.is_new for step in steps)
        work.record(
            "identity:agency:tree-imported",
            "agency",
            new=len(steps) - changed,
            changed=changed,
            counts_from=counts_from.isoformat(),
        )
    return steps


def _take(work: Work, step: Step, counts_from: date) -> None:
    row = step.row
    if step.is_new:
        insert_agency(work, row.code, row.name, kind=row.kind, parent=row.parent, period=step.period, norm=row.norm)
        return
    if step.after.keys() & {"valid_from", "valid_until"}:
        successor = get_agency(row.code).successor_code
        store_validity(work, row.code, step.period, successor, row.norm)
    if fields := {field: step.after[field] for field in IN_PLACE if field in step.after}:
        store_change(work, row.code, AgencyChange(fields, counts_from, row.norm))
