"""The gateway's decisions, as pure functions."""

from catalogue.gateway.rules import DailyCalls


def test_the_calls_left_are_never_fewer_than_none() -> None:
    assert DailyCalls(limit=10, used=12, seconds_left=5).headers()["RateLimit"] == '"agreement";r=0;t=5'
