"""Sessions' ages, the backoff on guessing, and devices: the rules alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.authentication.login_throttling.rules import BACKOFFS, backoff_of, counter_keys, network_of
from identity.authentication.sessions.rules import ABSOLUTE_LIMIT, IDLE_LIMIT, describe_device, is_active

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_half_an_hour_of_silence_ends_a_session() -> None:
    expires = NOW + timedelta(hours=1)
    assert is_active(NOW, NOW - IDLE_LIMIT + timedelta(seconds=1), expires)
    assert not is_active(NOW, NOW - IDLE_LIMIT, expires)


def test_twelve_hours_end_a_session_that_is_in_use() -> None:
    began = NOW - ABSOLUTE_LIMIT
    assert not is_active(NOW, NOW, began + ABSOLUTE_LIMIT)


@pytest.mark.parametrize("backoff", BACKOFFS.values())
@given(failures=st.floats(0, 1e6))
def test_waits_grow_and_end_somewhere(backoff: object, failures: float) -> None:
    assert backoff.wait_after(failures) <= backoff.wait_after(failures + 1) <= backoff.longest  # type: ignore[attr-defined]


def test_the_first_failures_cost_nothing_and_then_each_doubles_the_wait() -> None:
    backoff = BACKOFFS["account-address"]
    waits = [backoff.wait_after(failures).total_seconds() for failures in range(1, 10)]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16]


def test_an_account_is_never_kept_from_its_owner_for_long() -> None:
    assert BACKOFFS["account"].wait_after(10**6) <= timedelta(minutes=1)


def test_failures_are_forgotten_little_by_little() -> None:
    backoff = BACKOFFS["account"]
    assert backoff.remembered(3, timedelta()) == 3
    assert backoff.remembered(3, backoff.forget_one_in) == 2
    assert backoff.remembered(3, timedelta(days=1)) == 0
    assert backoff.remembered(3, -timedelta(days=1)) == 3


def test_one_subscriber_of_ipv6_is_one_place() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("nonsense") == "unknown"


def test_every_counter_has_its_backoff() -> None:
    keys = counter_keys(12345678, "192.0.2.1")
    assert keys == sorted(keys)
    assert {backoff_of(key) for key in keys} == set(BACKOFFS.values())


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", "Chrome · Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0", "Firefox · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1", "Safari · iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge · Windows"),
        ("curl/8", ""),
        ("", ""),
    ],
)
def test_devices_are_told_in_readable_words(agent: str, device: str) -> None:
    assert describe_device(agent) == device
