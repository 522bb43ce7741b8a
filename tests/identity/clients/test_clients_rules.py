"""Rules of registration alone: what may be registered."""

from datetime import UTC, datetime, timedelta

import pytest

from identity.clients.client_secrets.rules import PREVIOUS_SECRET_LIFETIME, StoredSecret, after_rotation, sha256_of
from identity.clients.registry.rules import (
    checked_machine_scopes,
    checked_name,
    checked_profile,
    checked_scopes,
    sector_of,
)
from kernel.base.errors import Invalid
from kernel.base.parties import ANYBODY, OPERATOR, Party

NOW = datetime(2026, 3, 1, tzinfo=UTC)


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
    assert [kept.ends_at for kept in second] == [None, NOW + PREVIOUS_SECRET_LIFETIME]
    third = after_rotation(second, "three", NOW + timedelta(days=1))
    assert [kept.sha256 for kept in third] == [sha256_of("three"), sha256_of("two")]
    assert [StoredSecret.from_row(kept.as_row()) for kept in third] == third


def test_a_sector_is_the_owner_or_else_the_host() -> None:
    own, host = "https://a.example.cl/", "host:a.example.cl"
    assert sector_of(Party.agency("AE001"), [own], "1") == "agency:AE001"
    assert sector_of(OPERATOR, [own, "https://a.example.cl/b"], "1") == host
    assert sector_of(OPERATOR, [own, "https://b.example.cl/"], "1") == "client:1"
    # OIDC Core 8.1: the host of the sector_identifier_uri, whatever the hosts to return to.
    assert sector_of(ANYBODY, ["https://sector.example.cl/s.json"], "1") == "host:sector.example.cl"
    assert sector_of(OPERATOR, ["http://localhost:1/"], "1") != sector_of(OPERATOR, ["http://localhost:1/"], "2")
