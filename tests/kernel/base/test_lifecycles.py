"""A lifecycle is its table: what is not in it does not follow."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.base.errors import Conflict
from kernel.base.lifecycles import Lifecycle, TransitionRule


class Status(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Transition(StrEnum):
    CLOSE = "close"
    REOPEN = "reopen"


class NotNow(Conflict):
    kind = "not-now"


DOOR = Lifecycle(
    {
        (Status.OPEN, Transition.CLOSE): TransitionRule(Status.CLOSED, "house:door:closed"),
        (Status.CLOSED, Transition.REOPEN): TransitionRule(
            Status.OPEN, "house:door:opened", frozenset({"owner", "guard"}), needs_reasons=True
        ),
    },
    refusal=NotNow,
)


def test_a_transition_leads_where_the_table_says() -> None:
    assert DOOR.rule("open", Transition.CLOSE).target == Status.CLOSED
    rule = DOOR.rule("closed", Transition.REOPEN, "guard")
    assert (rule.target, rule.tag, rule.needs_reasons) == (Status.OPEN, "house:door:opened", True)


@pytest.mark.parametrize(
    ("status", "transition", "sides"),
    [
        ("closed", Transition.CLOSE, ["owner"]),
        ("open", Transition.REOPEN, ["owner"]),
        ("closed", Transition.REOPEN, []),
        ("closed", Transition.REOPEN, ["guest"]),
        ("painted", Transition.CLOSE, ["owner"]),
    ],
)
def test_anything_else_is_refused(status: str, transition: Transition, sides: list[str]) -> None:
    with pytest.raises(NotNow):
        DOOR.rule(status, transition, *sides)


@given(st.sampled_from(Status), st.sets(st.sampled_from(["owner", "guard", "guest"])))
def test_a_page_offers_exactly_what_would_be_accepted(status: Status, sides: set[str]) -> None:
    for transition in Transition:
        if transition in DOOR.possible(status, *sides):
            assert DOOR.rule(status, transition, *sides)
        else:
            with pytest.raises(NotNow):
                DOOR.rule(status, transition, *sides)
