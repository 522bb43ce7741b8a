"""Reads of the tree for files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from identity.agencies.queries import agencies_on, timelines, tree_on
from identity.agencies.rules import faults_of_tree
from identity.agency_imports.rules import (
    FileRefused,
    KnownAgency,
    Row,
    Step,
    as_csv,
    faults_in_file,
    plan_of,
    tree_after,
)


def known_agencies(day: date) -> Mapping[str, KnownAgency]:
    """Every agency as it is on a day, by its code."""
    return {one.code: KnownAgency(one.name, one.kind, one.parent, one.period) for one in agencies_on(day)}


def plan(rows: Sequence[Row], counts_from: date) -> list[Step]:
    """Plan the changes that the lines of a file make from a day on. Raises FileRefused."""
    steps = plan_of(rows, known_agencies(counts_from), counts_from)
    tree = tree_after(timelines(), steps, counts_from)
    if faults := faults_of_tree(tree, counts_from):
        raise FileRefused(faults_in_file(faults, rows))
    return steps


def tree_as_csv(day: date) -> str:
    """The tree of a day as a file that can be imported again."""
    return as_csv(
        (one.code, one.name, one.kind, one.parent, one.valid_from, one.valid_until, "") for one in tree_on(day)
    )
