"""The gateway's decisions on what passes, as pure functions."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.gateway.rules import (
    DailyCalls,
    WayBack,
    downstream_headers,
    is_stream,
    seconds_to_midnight,
    upstream_headers,
)
from kernel.base.errors import BadRequest

OURS = "https://id.example/gateway/SRV-000001/v1"
BASE = "https://api.agencia.example/base"
WAY_BACK = WayBack(BASE, OURS, "/pagina")


@pytest.mark.parametrize(
    ("reference", "leads_to"),
    [
        ("/base", "/gateway/SRV-000001/v1"),
        ("/base/x?y#z", "/gateway/SRV-000001/v1/x?y#z"),
        ("/base?y", "/gateway/SRV-000001/v1?y"),
        ("https://api.agencia.example/base/x", f"{OURS}/x"),
        ("HTTPS://API.agencia.EXAMPLE/base/x", f"{OURS}/x"),
        ("https://api.agencia.example:443/base", OURS),
        ("http://api.agencia.example/base/x", f"{OURS}/x"),
        ("//api.agencia.example/base/x", f"{OURS}/x"),
        ("/basement", None),
        ("/", None),
        ("https://api.agencia.example/otra", None),
        ("https://api.agencia.example:8443/base/x", "https://api.agencia.example:8443/base/x"),
        ("https://otra.example/base/x", "https://otra.example/base/x"),
        ("x/y", "x/y"),
        ("?page=2", "?page=2"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("https://[/base", "https://[/base"),
        ("", ""),
        ("/base/../secret", None),
        ("/base/%2e%2E/secret", None),
        ("/base/a/../b?c=../d", "/gateway/SRV-000001/v1/b?c=../d"),
        ("/other/../base/b", "/gateway/SRV-000001/v1/b"),
        ("https://api.agencia.example/base/../secret", None),
        ("https://usuario:clave@api.agencia.example/base/x", f"{OURS}/x"),
        ("../secret", None),
        ("./b", "/gateway/SRV-000001/v1/b"),
        ("a/../../base/b", "/gateway/SRV-000001/v1/b"),
        ("..", None),
    ],
)
def test_what_refers_to_the_provider_leads_there_by_the_gateway(reference: str, leads_to: str | None) -> None:
    assert WAY_BACK.of(reference) == leads_to


def test_a_relative_reference_is_one_to_what_was_asked_for() -> None:
    deeper = WayBack(BASE, OURS, "/a/b")
    assert deeper.of("../c") == "/gateway/SRV-000001/v1/c"
    assert deeper.of("c") == "c"
    assert deeper.of("../../c") is None
    # Below the service itself, without a slash, a relative reference leads out of it.
    assert WayBack(BASE, OURS).of("c") is None
    assert WayBack("https://api.agencia.example", OURS).of("c") == "/gateway/SRV-000001/v1/c"


@pytest.mark.parametrize("base", ["https://api.agencia.example", "https://api.agencia.example/"])
def test_a_service_at_the_root_of_its_host_has_all_of_it(base: str) -> None:
    way_back = WayBack(base, OURS)
    assert way_back.of("/x") == "/gateway/SRV-000001/v1/x"
    assert way_back.of("https://api.agencia.example") == OURS


@given(st.text())
def test_no_reference_stops_the_gateway(reference: str) -> None:
    led = WAY_BACK.of(reference)
    assert led is None or led == reference or "/gateway/SRV-000001/v1" in led


def test_links_to_the_next_page_lead_through_the_gateway() -> None:
    links = f'<{BASE}/x?page=2>; rel="next", </base/x?page=9>; rel="last", <https://otra.example/>; rel="license"'
    assert dict(downstream_headers([("Link", links)], WAY_BACK))["Link"] == (
        f'<{OURS}/x?page=2>; rel="next", </gateway/SRV-000001/v1/x?page=9>; rel="last", '
        '<https://otra.example/>; rel="license"'
    )


@pytest.mark.parametrize(
    ("links", "passed"),
    [
        ("<https://api.agencia.example/otra>; rel=up", None),
        (f'<{BASE}/a,b>; title="x, <y>", </otra>; rel=up', f'<{OURS}/a,b>; title="x, <y>"'),
        (f'</otra>; rel=up, <{BASE}/a>; rel="next"', f'<{OURS}/a>; rel="next"'),
        (f'<{BASE}/a>; rel=x; anchor="{BASE}/b"', f'<{OURS}/a>; rel=x; anchor="{OURS}/b"'),
        (f'<{BASE}/a>; rel=x; anchor="https://api.agencia.example/otra"', None),
        ("not a link", "not a link"),
        ("<" * 1_000, "<" * 1_000),
    ],
)
def test_links_do_not_name_the_providers_host(links: str, passed: str | None) -> None:
    assert dict(downstream_headers([("Link", links)], WAY_BACK)).get("Link") == passed


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (f"0; url={BASE}/x", f"0; url={OURS}/x"),
        (f"5;URL='{BASE}/x'", f"5;URL='{OURS}/x'"),
        ("0; url=https://api.agencia.example/otra", None),
        ("30", "30"),
    ],
)
def test_a_refresh_leads_through_the_gateway(value: str, passed: str | None) -> None:
    assert dict(downstream_headers([("Refresh", value)], WAY_BACK)).get("Refresh") == passed


def test_a_copy_goes_where_the_provider_knows_it() -> None:
    prefix = "/gateway/SRV-000001/v1"
    assert upstream_headers([("Destination", f"{OURS}/b?c")], BASE, prefix) == [("Destination", f"{BASE}/b?c")]
    for elsewhere in ("https://otra.example/b", f"{OURS}/../b", "/gateway/SRV-000002/v1/b", "https://["):
        with pytest.raises(BadRequest):
            upstream_headers([("Destination", elsewhere)], BASE, prefix)


def test_a_length_beside_a_transfer_encoding_is_dropped_whatever_their_order() -> None:
    given_headers = [("content-length", "3"), ("Transfer-Encoding", "chunked"), ("ETag", "x")]
    assert downstream_headers(given_headers, WAY_BACK) == [("ETag", "x")]
    assert downstream_headers(reversed(given_headers), WAY_BACK) == [("ETag", "x")]


@pytest.mark.parametrize(
    "media_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8", "application/x-ndjson"]
)
def test_streams_are_known_by_their_type(media_type: str) -> None:
    assert is_stream([("Content-Type", media_type)])
    assert not is_stream([("Content-Type", "application/json"), ("X-Type", media_type)])


def test_the_calls_left_are_never_fewer_than_none() -> None:
    assert DailyCalls(limit=10, used=12, seconds_left=5).headers()["RateLimit"] == '"agreement";r=0;t=5'


@pytest.mark.parametrize(
    ("local", "seconds"),
    [
        ("2026-11-30T00:00:00", 86_400),
        ("2026-11-30T23:59:59", 1),
        ("2026-04-04T00:00:00", 90_000),  # clocks go back at midnight
        ("2026-09-05T12:00:00", 43_200),
    ],
)
def test_a_day_is_as_long_as_it_is_in_santiago(local: str, seconds: int) -> None:
    santiago = ZoneInfo("America/Santiago")
    assert seconds_to_midnight(datetime.fromisoformat(local).replace(tzinfo=santiago)) == seconds


@given(st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_after_the_seconds_left_it_is_another_day(utc: datetime) -> None:
    local = utc.astimezone(ZoneInfo("America/Santiago"))
    after = (utc + timedelta(seconds=seconds_to_midnight(local) + 1)).astimezone(local.tzinfo)
    assert after.date() > local.date()
