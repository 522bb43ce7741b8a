"""The bench's arithmetic. Nothing is timed here."""

import os
import subprocess
import sys

import pytest

from benchmarks.browser import FlowFailed, filled_form
from benchmarks.figures import Figures, Load, percentile, ratio
from benchmarks.processes import cpu_seconds
from benchmarks.run import Results, middle
from benchmarks.table import COMPARED_WITH, middle_ratio


def test_percentiles_are_values_that_were_seen() -> None:
    hundred = [float(value) for value in range(100, 0, -1)]
    assert percentile(hundred, 0.5) == 50
    assert percentile(hundred, 0.99) == 99
    assert percentile(hundred, 1) == 100
    assert percentile(hundred, 0) == 1
    assert percentile([7.0], 0.99) == 7


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError):
        percentile(values, share)


def test_figures_are_for_each_request_completed() -> None:
    figures = Figures.of(Load.of_latencies([1.0, 2.0, 3.0, 4.0], seconds=2, failed=1), cpu_seconds=0.01)
    assert figures.per_second == 2
    assert figures.cpu_ms == 2.5
    assert (figures.p50_ms, figures.p99_ms) == (2, 4)
    assert figures.failed == 1


def test_where_nothing_was_completed_there_are_no_figures() -> None:
    with pytest.raises(ValueError, match="3 failed"):
        Figures.of(Load.of_latencies([], seconds=2, failed=3), cpu_seconds=1)


def test_ratios() -> None:
    assert ratio(1, 2) == "0.50x"
    assert ratio(1, None) == ratio(1, 0) == "–"


def test_the_cpu_of_a_tree_includes_children_that_ended() -> None:
    child = "subprocess.run([sys.executable, '-c', 'sum(range(4_000_000))'])"
    code = f"import subprocess, sys; {child}; print('done', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        used, own = cpu_seconds([parent.pid]), cpu_seconds([os.getpid()])
        parent.communicate("\n")
    assert 0 < used <= own


def test_a_process_that_is_gone_used_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert cpu_seconds([ended.pid]) == 0


def test_the_form_that_signs_in_is_the_one_filled() -> None:
    page = """<form action="/search"><input name="q"></form>
    <form method="post" action="/in?a=1&amp;b=2"><input type="hidden" name="token" value="&quot;x">
    <input name="run"><input type="password" name="password"><input type="checkbox" name="stay">
    <button type="submit" name="go" value="1">Sign in</button></form>"""
    action, method, fields = filled_form(page, "ana", "secret")
    assert (action, method) == ("/in?a=1&b=2", "POST")
    assert fields == [("token", '"x'), ("run", "ana"), ("password", "secret"), ("go", "1")]


def test_a_page_without_a_form_ends_the_flow() -> None:
    with pytest.raises(FlowFailed):
        filled_form("<p>No.</p>", "ana", "secret")


def test_what_is_compared_is_of_one_round() -> None:
    def taken(ours: float, theirs: float) -> Results:
        cpu = {"us": ours, COMPARED_WITH: theirs}
        return {peer: {"userinfo": Figures(1, 1, 1, ms, 1, 0)} for peer, ms in cpu.items()}

    # The middle of ours is 3, the middle of theirs 4; but each time ours was half of theirs, or a little more.
    rounds = [taken(1, 2), taken(3, 4), taken(4, 8)]
    assert middle_ratio(rounds, "us", "userinfo") == "0.50x"
    assert middle_ratio(rounds, "us", "answer") == ratio(1, None)


def test_of_several_rounds_the_middle_one_counts_and_a_failure_only_where_all_failed() -> None:
    def one(cpu_ms: float) -> Figures:
        return Figures(per_second=1, p50_ms=1, p99_ms=1, cpu_ms=cpu_ms, completed=1, failed=0)

    rounds: list[Results] = [
        {"us": {"userinfo": one(3), "answer": "failed: a"}, "them": {}},
        {"us": {"userinfo": one(1), "answer": "failed: b"}, "them": {"userinfo": one(2)}},
        {"us": {"userinfo": one(2), "answer": "failed: c"}, "them": {"userinfo": "failed: d"}},
    ]
    assert middle(rounds) == {"us": {"userinfo": one(2), "answer": "failed: a"}, "them": {"userinfo": one(2)}}
