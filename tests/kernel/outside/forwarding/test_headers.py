"""Headers of calls that are passed on, as pure functions."""

import pytest

from kernel.base.errors import BadRequest
from kernel.outside.forwarding.addresses import WayBack
from kernel.outside.forwarding.headers import HeaderRules, downstream_headers, is_stream, upstream_headers

OURS = "https://id.example/to/SRV-000001/v1"
BASE = "https://api.agencia.example/base"
WAY_BACK = WayBack(BASE, OURS, "/pagina")
RULES = HeaderRules(own=("x-our-",))


def test_links_to_the_next_page_lead_through_the_forwarder() -> None:
    links = f'<{BASE}/x?page=2>; rel="next", </base/x?page=9>; rel="last", <https://otra.example/>; rel="license"'
    assert dict(downstream_headers([("Link", links)], RULES, WAY_BACK))["Link"] == (
        f'<{OURS}/x?page=2>; rel="next", </to/SRV-000001/v1/x?page=9>; rel="last", '
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
    assert dict(downstream_headers([("Link", links)], RULES, WAY_BACK)).get("Link") == passed


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (f"0; url={BASE}/x", f"0; url={OURS}/x"),
        (f"5;URL='{BASE}/x'", f"5;URL='{OURS}/x'"),
        ("0; url=https://api.agencia.example/otra", None),
        ("30", "30"),
    ],
)
def test_a_refresh_leads_through_the_forwarder(value: str, passed: str | None) -> None:
    assert dict(downstream_headers([("Refresh", value)], RULES, WAY_BACK)).get("Refresh") == passed


def test_a_copy_goes_where_the_provider_knows_it() -> None:
    prefix = "/to/SRV-000001/v1"
    assert upstream_headers([("Destination", f"{OURS}/b?c")], RULES, BASE, prefix) == [("Destination", f"{BASE}/b?c")]
    for elsewhere in ("https://otra.example/b", f"{OURS}/../b", "/to/SRV-000002/v1/b", "https://["):
        with pytest.raises(BadRequest):
            upstream_headers([("Destination", elsewhere)], RULES, BASE, prefix)


def test_a_length_beside_a_transfer_encoding_is_dropped_whatever_their_order() -> None:
    given_headers = [("content-length", "3"), ("Transfer-Encoding", "chunked"), ("ETag", "x")]
    assert downstream_headers(given_headers, RULES, WAY_BACK) == [("ETag", "x")]
    assert downstream_headers(reversed(given_headers), RULES, WAY_BACK) == [("ETag", "x")]


@pytest.mark.parametrize(
    "media_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8", "application/x-ndjson"]
)
def test_streams_are_known_by_their_type(media_type: str) -> None:
    assert is_stream([("Content-Type", media_type)])
    assert not is_stream([("Content-Type", "application/json"), ("X-Type", media_type)])
