"""Addresses that may be registered: the rules alone."""

import pytest

from identity.clients.redirect_uris.rules import checked_uris, same_authority
from kernel.base.errors import Invalid

WRONG_ANYWHERE = (
    "tramites.example.cl/entrada",
    "//tramites.example.cl/",
    "/entrada",
    "https://",
    "https:///entrada",
    "https://tramites.example.cl/#",
    "https://tramites.example.cl/#fin",
    "https://*.example.cl/",
    "https://ana@tramites.example.cl/",
    "https://ana:clave@tramites.example.cl/",
    "https://tramites.example.cl/con espacio",
    "https://trámites.example.cl/",
    "https://tramites.example.cl\\@elsewhere.example/",
    "https://tramites.example.cl:puerto/",
    "https://tramites.example.cl/\x00",
    "https://tramites.example.cl/" + "x" * 1000,
    "javascript:alert(1)",
    "data:text/html,x",
    "http://tramites.example.cl/",
    "http://localhost.example.cl/",
    "http://127.0.0.1.example.cl/",
    "http://[",
    "https://tramites%2eexample.cl/",
    "https://tramites.example.cl%00.otra.cl/",
    "https://tramites..example.cl/",
    "https://[fe80::1%25eth0]/",
    "https://[v1.a]/",
    "https://ñandú.cl/",
)


def test_addresses_that_may_be_registered() -> None:
    for uri in (
        "https://tramites.example.cl/entrada?a=b",
        "https://tramites.example.cl:8443/",
        "https://[2001:db8::1]/",
    ):
        assert checked_uris([uri, f" {uri} ", ""], "production", "redirect_uris", required=True) == [uri]
    for uri in ("http://localhost:5000/back", "http://127.0.0.1/", "http://[::1]:80/"):
        assert checked_uris([uri], "sandbox", "redirect_uris", required=True) == [uri]
        with pytest.raises(Invalid):
            checked_uris([uri], "production", "redirect_uris", required=True)


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_addresses_that_may_not(environment: str) -> None:
    for uri in WRONG_ANYWHERE:
        with pytest.raises(Invalid) as refused:
            checked_uris([uri], environment, "redirect_uris", required=True)
        assert list(refused.value.fields) == ["redirect_uris"], uri


def test_who_writes_a_host_with_accents_is_told_how_it_is_written() -> None:
    with pytest.raises(Invalid) as refused:
        checked_uris(["https://ñandú.cl/"], "production", "redirect_uris", required=True)
    assert "xn--" in str(refused.value.fields["redirect_uris"][0])
    assert checked_uris(["https://xn--and-6ma2c.cl/"], "production", "redirect_uris", required=True)


def test_there_is_at_least_one_address_and_at_most_twenty() -> None:
    assert checked_uris([], "sandbox", "post_logout_redirect_uris", required=False) == []
    for uris in ([], ["  "], [f"https://a.example.cl/{number}" for number in range(21)]):
        with pytest.raises(Invalid):
            checked_uris(uris, "sandbox", "redirect_uris", required=True)


def test_authorities_are_compared_as_a_whole() -> None:
    registered = ["https://tramites.example.cl/salida", "http://localhost:5000/"]
    for uri in ("https://tramites.example.cl", "https://TRAMITES.example.cl/otra?x", "http://localhost:5000/y"):
        assert same_authority(uri, registered), uri
    for uri in (
        "http://tramites.example.cl/",
        "https://tramites.example.cl.elsewhere.example/",
        "https://tramites.example.cl@elsewhere.example/",
        "https://elsewhere.example/https://tramites.example.cl/",
        "http://localhost:5001/",
        "",
    ):
        assert not same_authority(uri, registered), uri
