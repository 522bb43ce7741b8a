"""What may be registered: the rules alone."""

from datetime import UTC, datetime, timedelta

import pytest

from identity.client_secrets.rules import PREVIOUS_SECRET_LIVES, StoredSecret, after_rotation, sha256_of
from identity.clients.rules import (
    checked_machine_scopes,
    checked_name,
    checked_profile,
    checked_scopes,
    checked_uris,
    same_authority,
    sector_of,
)
from kernel.errors import Invalid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
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


def test_there_is_at_least_one_address_and_at_most_twenty() -> None:
    assert checked_uris([], "sandbox", "post_logout_redirect_uris", required=False) == []
    for uris in ([], ["  "], [f"https://a.example.cl/{number}" for number in range(21)]):
        with pytest.raises(Invalid):
            checked_uris(uris, "sandbox", "redirect_uris", required=True)


def test_profiles_and_ways_to_authenticate() -> None:
    assert checked_profile("clave-unica", None) == "client_secret"
    assert checked_profile("standard", "none") == "none"
    assert checked_profile("standard", "private_key_jwt") == "private_key_jwt"
    assert checked_profile("fapi2", None) == "private_key_jwt"
    for profile, method in (
        ("fapi2", "client_secret"),
        ("fapi2", "client_secret_basic"),
        ("fapi2", "none"),
        ("other", None),
        ("clave-unica", "none"),
        ("clave-unica", "private_key_jwt"),
        ("standard", "password"),
    ):
        with pytest.raises(Invalid):
            checked_profile(profile, method)


def test_scopes_of_each_profile() -> None:
    assert checked_scopes("clave-unica", []) == ["openid", "run", "name", "email"]
    assert checked_scopes("standard", ["offline_access"]) == ["openid", "offline_access"]
    for profile, scope in (("clave-unica", "offline_access"), ("standard", "everything")):
        with pytest.raises(Invalid):
            checked_scopes(profile, [scope])


def test_scopes_of_systems_are_never_those_of_people() -> None:
    assert checked_machine_scopes(["b.b", "a.a", "a.a"]) == ["a.a", "b.b"]
    for scope in ("openid", "run", "", "a b", "x" * 80, 'a"b'):
        with pytest.raises(Invalid):
            checked_machine_scopes([scope])


def test_names_are_short_and_readable() -> None:
    assert checked_name("  Trámites de Ñuble ") == "Trámites de Ñuble"
    for name in ("", "ab", "x" * 101, "a\x00bc", "a\nbc", "a\u202ebc"):
        with pytest.raises(Invalid):
            checked_name(name)


def test_a_rotation_keeps_one_older_secret_for_a_while() -> None:
    first = [StoredSecret(sha256_of("one"), None)]
    second = after_rotation(first, "two", NOW)
    assert [kept.ends_at for kept in second] == [None, NOW + PREVIOUS_SECRET_LIVES]
    third = after_rotation(second, "three", NOW + timedelta(days=1))
    assert [kept.sha256 for kept in third] == [sha256_of("three"), sha256_of("two")]
    assert [StoredSecret.from_row(kept.as_row()) for kept in third] == third


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


def test_a_sector_is_the_owner_or_else_the_host() -> None:
    assert sector_of("agency:AE001", ["https://a.example.cl/"], "1") == "agency:AE001"
    assert sector_of("operator", ["https://a.example.cl/", "https://a.example.cl/b"], "1") == "host:a.example.cl"
    assert sector_of("operator", ["https://a.example.cl/", "https://b.example.cl/"], "1") == "client:1"
    # OIDC Core 8.1: the host of the sector_identifier_uri, whatever the hosts to return to.
    assert sector_of("open-registration", ["https://sector.example.cl/s.json"], "1") == "host:sector.example.cl"
    assert sector_of("operator", ["http://localhost:1/"], "1") != sector_of("operator", ["http://localhost:1/"], "2")
