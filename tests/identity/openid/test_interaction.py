"""Sign-in, choice and agreement: OIDC Core 3.1.2.1 by the letter, and RFC 9470."""

import json
import re
from datetime import timedelta

import pytest
from builders.clients import a_client, a_code, answer_of, asks_to_sign_in, authorize, decide, following, tokens_for
from builders.identity import a_person, sign_in
from builders.requests import a_request_uri, agree, show
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from identity.clients.registry.actions import NewClient
from identity.openid.grants.step_up import achieved_acr, wants_more
from identity.people.models import Person
from kernel.base import clock

ONE, TWO = "urn:cordillera:acr:1", "urn:cordillera:acr:2"


def another(app: Flask) -> Person:
    with app.app_context():
        return a_person(is_test_person=True)


def test_select_account_asks_who(app: Flask, client: FlaskClient, person: Person, made: NewClient) -> None:
    a_code(client, made)
    page = authorize(client, made, prompt="select_account")
    assert (page.status_code, page.text.count(person.name) >= 1) == (200, True)
    go_on, somebody_else = links(page.text)
    assert "code" in answer_of(client.get(go_on))
    assert client.get(somebody_else).status_code == 200
    # What was chosen in another session counts for nothing.
    sign_in(client, another(app))
    assert links(client.get(go_on).text)


def links(text: str) -> list[str]:
    return [found.replace("&amp;", "&") for found in re.findall(r'class="btn[^"]*" href="([^"]*detour[^"]*)"', text)]


def test_select_account_without_a_session_is_a_sign_in(app: Flask, client: FlaskClient, made: NewClient) -> None:
    away = authorize(client, made, prompt="select_account")
    back = following(away)
    sign_in(client, another(app))
    assert "code" in answer_of(agree(client, client.get(back)))


def test_the_sign_in_asked_for_cannot_be_skipped(client: FlaskClient, person: Person, made: NewClient) -> None:
    a_code(client, made)
    first = authorize(client, made)
    asked = authorize(client, made, prompt="login", state="another-state")
    assert answer_of(first)["code"]
    back = following(asked)
    # Without having signed in, with another request's mark, or with none, the way leads to the sign-in page.
    for address in (back, back.replace("another-state", "a-third-state"), back.split("&detour")[0]):
        assert asks_to_sign_in(client.get(address)), address
    posted = client.post(back.replace("/openid/authorize", "/openid/consent"), data={"decision": "allow"})
    assert asks_to_sign_in(posted)


def test_prompt_consent_asks_again_in_a_pushed_request_too(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    page = show(client, made, request_uri=a_request_uri(client, made, prompt="consent"))
    assert page.status_code == 200
    assert "code" in answer_of(decide(client, page, "allow"))


def test_login_hint_fills_the_run_and_nothing_else(client: FlaskClient, made: NewClient) -> None:
    for hint, shown in (("12.345.678-5", True), ("123456785", True), ("maria@example.cl", False), ('"><b>', False)):
        away = authorize(client, made, login_hint=hint)
        assert (f'value="{hint}"' in away.text) is shown, hint
        assert '"><b>' not in away.text.replace("&#34;&gt;&lt;b&gt;", "")


def test_login_hint_of_a_pushed_request(client: FlaskClient, made: NewClient) -> None:
    away = show(client, made, request_uri=a_request_uri(client, made, login_hint="12.345.678-5"))
    assert 'value="12.345.678-5"' in away.text


def test_ui_locales_choose_the_language_and_display_changes_nothing(
    client: FlaskClient, person: Person, made: NewClient
) -> None:
    assert "asks for your data" in authorize(client, made, ui_locales="fr en", display="popup").text
    assert "pide" in authorize(client, made, ui_locales="es-CL").text


def test_a_hint_must_be_an_id_token_of_ours_for_this_client(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    with app.app_context():
        other = a_client("standard")
    theirs = tokens_for(client, other)["id_token"]
    ours = tokens_for(client, made)["id_token"]
    for hint in ("x", "a.b.c", "x" * 9_000, ours[:-4] + "AAAA", theirs):
        answer = answer_of(authorize(client, made, id_token_hint=hint))
        assert answer["error"] == "invalid_request", hint[:20]


def test_a_hint_names_the_only_person_who_may_answer(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    hint = tokens_for(client, made)["id_token"]
    assert "code" in answer_of(authorize(client, made, id_token_hint=hint, prompt="none"))
    sign_in(client, another(app))
    assert answer_of(authorize(client, made, id_token_hint=hint, prompt="none"))["error"] == "login_required"
    away = authorize(client, made, id_token_hint=hint)
    back = following(away)
    with clock.shifted(timedelta(seconds=3)):
        sign_in(client, another(app))
        assert answer_of(client.get(back))["error"] == "login_required"
        sign_in(client, person)
        assert "code" in answer_of(client.get(back))
    # An old ID token is as good a hint.
    with clock.shifted(timedelta(days=40)):
        sign_in(client, person)
        assert "code" in answer_of(authorize(client, made, id_token_hint=hint, prompt="none"))


def test_the_claims_may_name_that_person_too(client: FlaskClient, person: Person, made: NewClient) -> None:
    token = tokens_for(client, made)["id_token"]
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    subject = jwt.decode(token, keys, algorithms=["ES256"]).claims["sub"]
    mine = json.dumps({"id_token": {"sub": {"value": subject}}})
    assert "code" in answer_of(authorize(client, made, claims=mine, prompt="none"))
    not_mine = json.dumps({"id_token": {"sub": {"value": "somebody"}}})
    assert answer_of(authorize(client, made, claims=not_mine, prompt="none"))["error"] == "login_required"
    both = answer_of(authorize(client, made, claims=not_mine, id_token_hint=token))
    assert both["error"] == "invalid_request"


@pytest.mark.parametrize("values", [" ".join(["x"] * 11), "x" * 201, "a\x00b"])
def test_malformed_acr_values_are_refused(client: FlaskClient, made: NewClient, values: str) -> None:
    assert answer_of(authorize(client, made, acr_values=values))["error"] == "invalid_request"


def test_what_the_client_registered_stands_for_what_is_missing(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        strict = a_client("standard", options={"default_max_age": 60})
    a_code(client, strict)
    with clock.shifted(timedelta(seconds=62)):
        assert answer_of(authorize(client, strict, prompt="none"))["error"] == "login_required"
        assert "code" in answer_of(authorize(client, strict, prompt="none", max_age="600"))


def test_a_level_contains_the_lower_ones() -> None:
    assert achieved_acr(TWO, [ONE], is_essential=True) == ONE
    assert achieved_acr(TWO, ["unknown"], is_essential=False) == TWO
    assert wants_more(ONE, ["unknown", TWO])
    assert not wants_more(ONE, [ONE, TWO])
    assert not wants_more(TWO, [ONE])
    assert not wants_more(ONE, ["unknown"])
    assert not wants_more(ONE, [])


def test_whoever_agrees_reads_the_data_themselves(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client("standard", scopes=["openid", "run", "name", "email"])
    page = authorize(client, made, scope="openid run name email").text
    assert "Esta aplicación sabrá:" in page
    for datum in (
        f"su RUN, {person.run}",
        f"sus nombres y apellidos, {person.name}",
        f"correo electrónico, {person.email}",
    ):
        assert datum in page
    assert "dejar de compartir" in page


def test_whoever_has_no_address_reads_that_there_is_none(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_person(email=None, is_test_person=True)
        made = a_client("standard", scopes=["openid", "email"])
    sign_in(client, person)
    assert "correo electrónico, que no tenemos" in authorize(client, made, scope="openid email").text
