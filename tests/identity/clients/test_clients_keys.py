"""Public keys of clients: which may be registered, and how those at an address are fetched."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from builders.clients import a_client
from builders.keys import a_certificate, a_key, der, public
from builders.publishing import Answer, let_call, publishing
from flask import Flask
from joserfc.jwk import ECKey, OKPKey, RSAKey

from identity.clients.client_keys import queries
from identity.clients.client_keys.queries import check_jwks_uri, keys_of, validated_jwks
from identity.clients.client_keys.rules import checked_jwks
from identity.clients.registry.actions import NewClient, change_registration
from identity.clients.registry.queries import any_client, propose, registered_client, registration_of
from identity.clients.registry.rules import Registration
from kernel.base.errors import Invalid
from kernel.outside.bulkheads import Place, Saturated, outward_calls

GOOD = public(a_key(kid="a"))["keys"][0]


def without(key: dict[str, Any], *names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**key, **changed}.items() if name not in names}


WRONG: list[object] = [
    None,
    "keys",
    [],
    {},
    {"keys": {}},
    {"keys": []},
    {"keys": ["key"]},
    {"keys": [{}]},
    {"keys": [without(GOOD, "x")]},
    {"keys": [without(GOOD, x="AA")]},
    {"keys": [without(GOOD, x=GOOD["x"] + "AA")]},
    {"keys": [without(GOOD, x=7)]},
    {"keys": [without(GOOD, x="=" * 43)]},
    {"keys": [without(GOOD, kty="oct", k="c2VjcmV0")]},
    {"keys": [without(GOOD, kty=["EC"])]},
    {"keys": [without(GOOD, crv="secp256k1")]},
    {"keys": [without(GOOD, crv="P-384")]},
    {"keys": [without(GOOD, alg="none")]},
    {"keys": [without(GOOD, alg="HS256")]},
    {"keys": [without(GOOD, alg=["ES256"])]},
    {"keys": [without(GOOD, use="both")]},
    {"keys": [without(GOOD, use="enc", alg="ES256")]},
    {"keys": [without(GOOD, kid="")]},
    {"keys": [without(GOOD, kid=7)]},
    {"keys": [without(GOOD, kid="x" * 201)]},
    {"keys": [without(GOOD, exp="tomorrow")]},
    {"keys": [without(GOOD, x5u="https://example.cl/certificate")]},
    {"keys": [GOOD, GOOD]},
    {"keys": [GOOD, without(public(a_key())["keys"][0], "kid")]},
    {"keys": [without(GOOD, kid=str(number)) for number in range(11)]},
    {"keys": [a_key().as_dict(private=True)]},
    {"keys": [a_key("RSA").as_dict(private=True)]},
    {"keys": [a_key("OKP").as_dict(private=True)]},
    {"keys": [RSAKey.generate_key(1024).as_dict(private=False)]},
    {"keys": [without(public(a_key("RSA"))["keys"][0], alg="RS256")]},
    {"keys": [without(public(a_key("RSA"))["keys"][0], e="AQ")]},
    {"keys": [without(public(a_key("RSA"))["keys"][0], e="Ag")]},
    {"keys": [OKPKey.generate_key("Ed448").as_dict(private=False)]},
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_keys_that_may_not_be_registered(number: int) -> None:
    with pytest.raises(Invalid) as refused:
        checked_jwks(WRONG[number])
    assert list(refused.value.fields) == ["jwks"]


def test_a_point_off_its_curve_and_anothers_certificate_are_refused() -> None:
    off = {"keys": [without(GOOD, x="A" * 43)]}
    other = {"keys": [without(GOOD, x5c=[der(a_certificate(a_key()))])]}
    broken = {"keys": [without(GOOD, x5c=["AAAA"])]}
    for jwks in (off, other, broken):
        with pytest.raises(Invalid):
            validated_jwks(jwks)


def test_every_kind_that_is_offered_is_kept_without_what_is_not_known() -> None:
    for key in (a_key(), a_key("RSA"), a_key("OKP"), ECKey.generate_key("P-521"), OKPKey.generate_key("X25519")):
        kept = validated_jwks({"keys": [{**key.as_dict(private=False), "unknown": "x"}], "more": 1})
        assert kept == public(key)
    key = a_key(kid="with-certificate")
    assert validated_jwks({"keys": [{**key.as_dict(private=False), "x5c": [der(a_certificate(key))]}]})


@pytest.mark.usefixtures("context")
def test_addresses_that_keys_are_not_fetched_from() -> None:
    for uri in (
        "http://example.cl/jwks",
        "https://127.0.0.1/jwks",
        "https://localhost/jwks",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://example.cl/#keys",
        "https://ana@example.cl/",
        "ftp://example.cl/",
        "jwks",
    ):
        with pytest.raises(Invalid) as refused:
            check_jwks_uri(uri)
        assert list(refused.value.fields) == ["jwks_uri"]


@contextmanager
def published(app: Flask, answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A client whose keys are there."""
    with publishing(answer) as (place, calls), app.app_context():
        let_call(app, place)
        made = a_client("fapi2", jwks_uri=f"http://{place}/jwks")
        yield made.client.client_id, calls


def names(client_id: str, kid: str | None = None) -> list[str | None]:
    client = registered_client(client_id)
    assert client is not None
    return [key.kid for key in keys_of(client, kid)]


@pytest.mark.usefixtures("context")
def test_fetched_keys_are_remembered_and_read_again_for_an_unknown_name(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = [a_key(kid="one")]
    with published(app, lambda: (200, json.dumps(public(*here)).encode())) as (client_id, calls):
        assert (names(client_id), names(client_id, "one")) == (["one"], ["one"])
        assert len(calls) == 1
        here.append(a_key(kid="two"))
        # Asked a moment ago, it is asked once more, and then not by each of many names.
        assert names(client_id, "two") == ["two"]
        here.append(a_key(kid="three"))
        assert (names(client_id, "three"), names(client_id, "four"), len(calls)) == ([], [], 2)
        monkeypatch.setattr(queries, "RETRY_SECONDS", 0)
        assert names(client_id, "three") == ["three"]
        assert len(calls) == 3


@pytest.mark.usefixtures("context")
def test_keys_of_others_are_passed_over_and_private_ones_refuse_the_whole(app: Flask) -> None:
    strange = {"keys": [public(a_key(kid="good"))["keys"][0], {"kty": "oct"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}
    with published(app, lambda: (200, json.dumps(strange | {"keys": strange["keys"][:2]}).encode())) as (one, _):
        assert names(one) == ["good"]
    with published(app, lambda: (200, json.dumps({"keys": [a_key().as_dict(private=True)]}).encode())) as (one, _):
        assert names(one) == []


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (302, b""),
        (500, b"{}"),
        (200, b""),
        (200, b"[]"),
        (200, b'{"keys": 1}'),
        (200, b"\xff\xfe"),
        (200, b"[" * 50_000),
        (200, b'{"keys": [' + b" " * 70_000 + b"]}"),
    ],
)
def test_an_address_that_answers_wrongly_gives_no_key(app: Flask, status: int, body: bytes) -> None:
    with published(app, lambda: (status, body)) as (client_id, _):
        assert names(client_id) == []


@pytest.mark.usefixtures("context")
def test_keys_stay_while_their_address_does_not_answer(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(200, json.dumps(public(a_key(kid="one"))).encode()), (503, b""), (503, b"")]
    with published(app, lambda: answers.pop(0)) as (client_id, calls):
        assert names(client_id) == ["one"]
        monkeypatch.setattr(queries, "FRESH_SECONDS", -1)
        monkeypatch.setattr(queries, "RETRY_SECONDS", -1)
        assert (names(client_id), len(calls)) == (["one"], 2)
        monkeypatch.setattr(queries, "STALE_SECONDS", -1)
        assert names(client_id) == []


@pytest.mark.usefixtures("context")
def test_a_client_changes_its_profile_and_keeps_its_keys_where_the_profile_allows() -> None:
    key = a_key(kid="k")
    made = a_client("fapi2", jwks=public(key), scopes=["openid", "run"])
    assert (made.secret, made.client.auth_method) == (None, "private_key_jwt")
    client_id = made.client.client_id
    asked = registration_of(made.client)
    changed = _change(client_id, _with(asked, profile="standard"))
    assert (changed.client.profile, changed.client.auth_method, changed.secret) == ("standard", "private_key_jwt", None)
    with pytest.raises(Invalid) as refused:
        _change(client_id, _with(asked, profile="clave-unica"))
    assert "auth_method" in refused.value.fields
    told = _change(client_id, _with(asked, profile="clave-unica", auth_method="client_secret_post"))
    assert told.secret is not None
    again = _change(client_id, _with(asked, profile="standard", auth_method="client_secret_post"))
    assert again.secret is None
    found = registered_client(client_id)
    assert found is not None
    assert len(found.secrets) == 1


def _change(client_id: str, registration: Registration) -> NewClient:
    return change_registration(propose(any_client(client_id), **vars(registration)))


def _with(registration: Any, **changed: Any) -> Any:
    return replace(registration, **changed)


def test_keys_for_which_there_was_no_place_to_wait_are_asked_for_as_soon_as_there_is(app: Flask) -> None:
    key = public(a_key(kid="a"))
    with publishing(lambda: (200, json.dumps(key).encode())) as (place, calls), app.app_context():
        let_call(app, place)
        client = registered_client(a_client("fapi2", jwks_uri=f"http://{place}/keys").client.client_id)
        assert client
        held = _all_places(place)
        with pytest.raises(Saturated):
            keys_of(client, "a")
        assert calls == []
        for each in held:
            each.release()
        assert keys_of(client, "a")


def _all_places(destination: str) -> list[Place]:
    held = []
    with suppress(Saturated):
        while True:
            held.append(outward_calls().take("look-up", destination))
    return held
