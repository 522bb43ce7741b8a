"""The rules of the tree, held against a plain reading of them day by day."""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.agencies.queries import AgencyOnDay
from identity.agencies.rules import (
    MAX_DEPTH,
    AgencyTimeline,
    Branch,
    Period,
    branches_of,
    check_period,
    faults_of_tree,
    plain_words,
)
from kernel.base.errors import Invalid

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(8)]
CODES = ["AE001", "AE002", "AE003", "AE004"]

a_day = st.sampled_from(DAYS)
a_period = st.tuples(a_day, st.none() | a_day).filter(lambda two: two[1] is None or two[0] <= two[1])
moves = st.lists(st.tuples(a_day, st.none() | st.sampled_from(CODES)), max_size=3).map(
    lambda many: tuple(sorted(many, key=lambda one: one[0]))
)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, AgencyTimeline]:
    return {code: AgencyTimeline(code, Period(*draw(a_period)), draw(moves)) for code in CODES}


def parent_by_reading(timeline: AgencyTimeline, day: date) -> str | None:
    """The last word until the day, or else the first one after it."""
    until = [parent for when, parent in timeline.parents if when <= day]
    if until:
        return until[-1]
    if not timeline.parents:
        return None
    first = timeline.parents[0][0]
    return [parent for when, parent in timeline.parents if when == first][-1]


def is_wrong_by_reading(tree: Mapping[str, AgencyTimeline], day: date) -> bool:
    for code, timeline in tree.items():
        if not timeline.period.covers(day):
            continue
        seen, above = {code}, parent_by_reading(timeline, day)
        while above is not None:
            if above in seen or not tree[above].period.covers(day):
                return True
            seen.add(above)
            above = parent_by_reading(tree[above], day)
    return False


@given(trees())
def test_a_tree_is_faultless_if_it_is_on_every_day(tree: dict[str, AgencyTimeline]) -> None:
    # After the last day of the test nothing changes any more.
    wrong = any(is_wrong_by_reading(tree, day) for day in [*DAYS, DAYS[-1] + timedelta(days=1)])
    assert bool(faults_of_tree(tree, FIRST)) == wrong


@given(trees(), a_day)
def test_the_parent_of_a_day_is_the_last_word_until_then(tree: dict[str, AgencyTimeline], day: date) -> None:
    for timeline in tree.values():
        expected = parent_by_reading(timeline, day) if timeline.period.covers(day) else None
        assert timeline.parent_on(day) == expected


@given(trees())
def test_the_slices_of_an_agency_follow_each_other_without_a_gap(tree: dict[str, AgencyTimeline]) -> None:
    for timeline in tree.values():
        periods = [period for period, _parent in timeline.slices()]
        assert (periods[0].first, periods[-1].last) == (timeline.period.first, timeline.period.last)
        for before, after in pairwise(periods):
            assert before.last == after.first - timedelta(days=1)


@given(a_period, a_period)
def test_periods_overlap_where_they_have_a_day_in_common(one: tuple[date, date | None], two: tuple[date, date]) -> None:
    first, second = Period(*one), Period(*two)
    common = any(first.covers(day) and second.covers(day) for day in [*DAYS, DAYS[-1] + timedelta(days=1)])
    assert first.overlaps(second) == second.overlaps(first) == common


def a_chain(length: int) -> dict[str, AgencyTimeline]:
    codes = [f"AE{number:03}" for number in range(length)]
    return {
        code: AgencyTimeline(code, Period(FIRST), ((FIRST, codes[number - 1] if number else None),))
        for number, code in enumerate(codes)
    }


@pytest.mark.parametrize(("length", "is_too_long"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
def test_a_chain_has_a_longest_length(length: int, is_too_long: bool) -> None:
    assert bool(faults_of_tree(a_chain(length), FIRST)) == is_too_long


def test_what_moves_below_a_place_too_deep_takes_its_own_along() -> None:
    tree = a_chain(MAX_DEPTH)
    tree["AE900"] = AgencyTimeline("AE900", Period(FIRST), ((FIRST, None), (DAYS[3], "AE000")))
    assert faults_of_tree(tree, FIRST) == []
    tree["AE000"] = AgencyTimeline("AE000", Period(FIRST), ((FIRST, None), (DAYS[4], "AE901")))
    tree["AE901"] = AgencyTimeline("AE901", Period(FIRST))
    assert {fault.kind for fault in faults_of_tree(tree, FIRST)} == {"depth"}


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2026, 1, 2), date(2026, 1, 1)), (date(1799, 12, 31), None), (date(2026, 1, 1), date(2200, 1, 1))],
)
def test_a_period_that_cannot_be_is_refused(first: date, last: date | None) -> None:
    with pytest.raises(Invalid):
        check_period(first, last, ("valid_from", "valid_until"))


def an_agency(code: str, name: str, parent: str | None = None) -> AgencyOnDay:
    return AgencyOnDay(code, name, "service", parent, FIRST, None)


STATE = [
    an_agency("AE001", "Ministerio del Interior"),
    an_agency("AE002", "Dirección de Aguas", "AE001"),
    an_agency("AE003", "Municipalidad de Ñuñoa", "AE777"),
]


def names(branches: tuple[Branch[AgencyOnDay], ...]) -> list[tuple[str, bool, list[str]]]:
    return [(one.agency.code, one.is_match, [each.agency.code for each in one.below]) for one in branches]


def test_the_tree_of_a_day_has_those_without_a_parent_of_that_day_at_the_top() -> None:
    assert names(branches_of(STATE)) == [("AE001", True, ["AE002"]), ("AE003", True, [])]


@pytest.mark.parametrize("wanted", ["aguas", "DIRECCION  de", "ae002", "dirección aguas"])
def test_what_is_looked_for_is_shown_with_the_way_to_it(wanted: str) -> None:
    assert names(branches_of(STATE, wanted)) == [("AE001", False, ["AE002"])]


@given(st.text(max_size=50))
def test_no_search_breaks(wanted: str) -> None:
    branches_of(STATE, wanted)
    assert all(plain_words(word) == [word] for word in plain_words("Dirección de Ñuñoa"))
