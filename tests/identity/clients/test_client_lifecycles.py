"""Reviews of clients and offers of them as tables: whatever anybody tries, only one answer is ever given."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from identity.clients.client_reviews import rules as reviews
from identity.clients.client_reviews.rules import ChangedMeanwhile
from identity.clients.ownership_transfers import rules as transfers
from identity.clients.token_exchange_policies import rules as exchanges
from kernel.base.errors import Problem
from kernel.base.lifecycles import Lifecycle


class ReviewLife(RuleBasedStateMachine):
    """Only the authority approves or returns, only the owner withdraws, and a decision stands."""

    table: Lifecycle[reviews.Status, reviews.Transition] = reviews.OF_CHANGE

    def __init__(self) -> None:
        super().__init__()
        self.status, self.decisions = reviews.Status.WAITING, 0

    @rule(step=st.sampled_from(reviews.Transition), side=st.sampled_from(reviews.Side))
    def try_it(self, step: reviews.Transition, side: reviews.Side) -> None:
        is_offered = step in self.table.possible(self.status, side)
        try:
            self.status = self.table.rule(self.status, step, side).target
        except ChangedMeanwhile:
            assert not is_offered
            return
        assert is_offered
        assert (side is reviews.Side.OWNER) == (step is reviews.Transition.WITHDRAW)
        self.decisions += 1

    @invariant()
    def one_decision_ends_the_wait(self) -> None:
        assert self.decisions == (self.status != reviews.Status.WAITING)


class EnvironmentLife(ReviewLife):
    """Reviews of whether an application goes on, which have records of their own."""

    table = reviews.OF_ENVIRONMENT


class TransferLife(RuleBasedStateMachine):
    """Only the agency accepts or declines, only the developer withdraws, and what ended by itself is over."""

    def __init__(self) -> None:
        super().__init__()
        self.status, self.answers = transfers.Status.WAITING, 0

    @rule(step=st.sampled_from(transfers.Transition), side=st.sampled_from(transfers.Side))
    def try_it(self, step: transfers.Transition, side: transfers.Side) -> None:
        try:
            self.status = transfers.LIFECYCLE.rule(self.status, step, side).target
        except ChangedMeanwhile:
            return
        assert (side is transfers.Side.DEVELOPER) == (step is transfers.Transition.WITHDRAW)
        self.answers += 1

    @rule()
    def let_the_term_pass(self) -> None:
        deadline = transfers.LIFECYCLE.deadlines.get(self.status)
        if deadline is not None:
            assert deadline.target
            self.status, self.answers = transfers.Status(deadline.target), self.answers + 1

    @invariant()
    def one_answer_ends_the_wait(self) -> None:
        assert self.answers == (self.status != transfers.Status.WAITING)


class ExchangeLife(RuleBasedStateMachine):
    """The owner of what is called decides, and what was refused or has ended begins no more."""

    def __init__(self) -> None:
        super().__init__()
        self.status = exchanges.Status.ASKED

    @rule(step=st.sampled_from(exchanges.Transition), side=st.sampled_from(exchanges.Side))
    def try_it(self, step: exchanges.Transition, side: exchanges.Side) -> None:
        before = self.status
        try:
            self.status = exchanges.LIFECYCLE.rule(before, step, side).target
        except exchanges.NotInThisState:
            return
        assert before in (exchanges.Status.ASKED, exchanges.Status.ALLOWED)
        if self.status in (exchanges.Status.ALLOWED, exchanges.Status.REFUSED):
            assert (before, side) == (exchanges.Status.ASKED, exchanges.Side.TARGET)


TestReviewLife = ReviewLife.TestCase
TestEnvironmentLife = EnvironmentLife.TestCase
TestTransferLife = TransferLife.TestCase
TestExchangeLife = ExchangeLife.TestCase


@pytest.mark.parametrize(
    ("table", "explained"),
    [
        (reviews.OF_CHANGE, {"return"}),
        (reviews.OF_ENVIRONMENT, {"return"}),
        (transfers.LIFECYCLE, {"decline"}),
        (exchanges.LIFECYCLE, {"refuse"}),
    ],
)
def test_who_decides_against_somebody_says_why(table: Lifecycle[str, str], explained: set[str]) -> None:
    # Ley 19.880 art. 41
    assert {name for (_at, name), rule in table.rules.items() if rule.needs_reasons} == explained
    assert issubclass(table._refusal, Problem)
