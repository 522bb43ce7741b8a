"""Addresses of calls that are passed on, and of what their answers refer to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.outside.forwarding.addresses import WayBack

OURS = "https://id.example/to/SRV-000001/v1"
BASE = "https://api.agencia.example/base"
WAY_BACK = WayBack(BASE, OURS, "/pagina")


@pytest.mark.parametrize(
    ("reference", "leads_to"),
    [
        ("/base", "/to/SRV-000001/v1"),
        ("/base/x?y#z", "/to/SRV-000001/v1/x?y#z"),
        ("/base?y", "/to/SRV-000001/v1?y"),
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
        ("/base/a/../b?c=../d", "/to/SRV-000001/v1/b?c=../d"),
        ("/other/../base/b", "/to/SRV-000001/v1/b"),
        ("https://api.agencia.example/base/../secret", None),
        ("https://usuario:clave@api.agencia.example/base/x", f"{OURS}/x"),
        ("../secret", None),
        ("./b", "/to/SRV-000001/v1/b"),
        ("a/../../base/b", "/to/SRV-000001/v1/b"),
        ("..", None),
    ],
)
def test_what_refers_to_the_provider_leads_there_by_the_forwarder(reference: str, leads_to: str | None) -> None:
    assert WAY_BACK.of(reference) == leads_to


def test_a_relative_reference_is_one_to_what_was_asked_for() -> None:
    deeper = WayBack(BASE, OURS, "/a/b")
    assert deeper.of("../c") == "/to/SRV-000001/v1/c"
    assert deeper.of("c") == "c"
    assert deeper.of("../../c") is None
    # Below the service itself, without a slash, a relative reference leads out of it.
    assert WayBack(BASE, OURS).of("c") is None
    assert WayBack("https://api.agencia.example", OURS).of("c") == "/to/SRV-000001/v1/c"


@pytest.mark.parametrize("base", ["https://api.agencia.example", "https://api.agencia.example/"])
def test_a_service_at_the_root_of_its_host_has_all_of_it(base: str) -> None:
    way_back = WayBack(base, OURS)
    assert way_back.of("/x") == "/to/SRV-000001/v1/x"
    assert way_back.of("https://api.agencia.example") == OURS


@given(st.text())
def test_no_reference_stops_the_forwarder(reference: str) -> None:
    led = WAY_BACK.of(reference)
    assert led is None or led == reference or "/to/SRV-000001/v1" in led
