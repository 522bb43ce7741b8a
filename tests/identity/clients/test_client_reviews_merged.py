"""Of two changes that were asked one after the other, neither undoes the other, whichever is decided last."""

from dataclasses import replace
from typing import Any

import pytest
from builders.clients import a_client
from builders.identity import an_agency

from identity.clients.client_reviews.actions import approve, change_application
from identity.clients.client_reviews.queries import get_pending
from identity.clients.client_reviews.rules import as_row, differences, fingerprint, with_changes
from identity.clients.registry.queries import any_client, registration_of
from identity.clients.registry.rules import Registration
from kernel.jobs.access import Principal, act_as

A, B, C = (f"https://tramites.example.cl/{name}" for name in "abc")
KEYS: list[dict[str, Any]] = [{"keys": [{"kid": kid}]} for kid in "abc"]


@pytest.mark.parametrize(
    ("name", "before", "asked", "meanwhile", "merged"),
    [
        ("name", "Uno", "Dos", "Uno", "Dos"),
        ("name", "Uno", "Dos", "Tres", "Tres"),
        ("redirect_uris", [A], [A, B], [A], [A, B]),
        ("redirect_uris", [A, B], [A, B, C], [B], [B, C]),
        ("redirect_uris", [A, B], [B, C], [A, B], [B, C]),
        ("redirect_uris", [A], [A, B], [A, B], [A, B]),
        ("scopes", ["openid", "run"], ["openid", "run", "email"], ["openid"], ["openid", "email"]),
        ("contacts", ["a@b.cl"], ["a@b.cl", "c@d.cl"], ["e@f.cl"], ["e@f.cl", "c@d.cl"]),
        ("options", {}, {"client_uri": A}, {"tos_uri": B}, {"tos_uri": B, "client_uri": A}),
        ("options", {"client_uri": A}, {"client_uri": B}, {"client_uri": C}, {"client_uri": C}),
        ("options", {"client_uri": A, "tos_uri": A}, {"tos_uri": B}, {"client_uri": A, "tos_uri": A}, {"tos_uri": B}),
        ("options", {"tos_uri": A}, {"tos_uri": A, "require_auth_time": False}, {}, {"require_auth_time": False}),
        ("scope_reasons", {"run": "a"}, {"run": "a", "email": "b"}, {"run": "c"}, {"run": "c", "email": "b"}),
        # Keys are whole: those that were put in their place meanwhile have the last word.
        ("jwks", KEYS[0], KEYS[1], KEYS[0], KEYS[1]),
        ("jwks", KEYS[0], KEYS[1], KEYS[2], KEYS[2]),
        ("jwks", KEYS[0], KEYS[1], None, None),
    ],
)
def test_only_what_was_asked_changes(name: str, before: Any, asked: Any, meanwhile: Any, merged: Any) -> None:
    kept = replace(Registration("Trámites", "standard", [A]), **{name: before})
    changes = as_row(differences(kept, replace(kept, **{name: asked})))
    assert with_changes(replace(kept, **{name: meanwhile}), changes) == replace(kept, **{name: merged})


def test_the_sector_that_was_looked_at_is_the_one_that_is_approved() -> None:
    one, other = (
        replace(Registration("Trámites", "standard", [A]), options={"sector_identifier_uri": uri}) for uri in (A, B)
    )
    assert fingerprint(1, "production", one) != fingerprint(1, "production", other)


def test_what_changed_at_once_survives_what_was_approved_afterwards(context: None) -> None:
    an_agency("AE001")
    made = a_client(
        "standard",
        redirect_uris=[A, B],
        environment="production",
        owner="agency:AE001",
        scopes=["openid", "run"],
        scope_reasons={"run": "Para encontrar su expediente."},
        contacts=["ana@example.cl"],
        post_logout_redirect_uris=[],
        options={"backchannel_logout_uri": A, "default_max_age": 60},
    )
    client_id = made.client.client_id
    act_as(Principal(kind="official", id="test", name="Ana"))
    first = registration_of(made.client)
    options = {**first.options, "require_auth_time": True}
    asked = change_application(any_client(client_id), replace(first, redirect_uris=[A, B, C], options=options))
    assert asked.request is not None
    # B was found out to be somebody else's, and people who leave are told elsewhere.
    without = replace(first, redirect_uris=[A], options={**first.options, "backchannel_logout_uri": B})
    change_application(any_client(client_id), without)
    approve(client_id, get_pending(client_id).fingerprint)
    now = registration_of(any_client(client_id))
    assert now.redirect_uris == [A, C]
    assert now.options == {"backchannel_logout_uri": B, "default_max_age": 60, "require_auth_time": True}
