"""Signing in and out through the pages, and what an attacker tries there."""

import re
from datetime import timedelta
from unittest.mock import patch
from urllib.parse import quote

import pytest
from builders.identity import PASSWORD, a_person, an_agency, an_official, is_signed_in, sign_in
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from identity.authentication.sessions.models import SignInSession
from identity.authentication.sessions.rules import ABSOLUTE_LIMIT, COOKIE, IDLE_LIMIT
from identity.authentication.signin.rules import SignInPurpose
from identity.authentication.signin.web import WAY, Way
from identity.people.models import Person
from kernel.base.clock import shifted
from kernel.database.db import session
from kernel.http.csrf import FIELD
from kernel.jobs.access import current_principal
from kernel.recording.audit import AuditEvent


@pytest.fixture
def person(app: Flask) -> Person:
    with app.app_context():
        return a_person("10.000.013-K")


def cookie(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE)
    return found.value if found else ""


def recorded(app: Flask, tag: str) -> list[AuditEvent]:
    with app.app_context():
        return list(session().scalars(select(AuditEvent).where(AuditEvent.tag == tag).order_by(AuditEvent.id)))


def post(client: FlaskClient, run: str, password: str, **more: str) -> TestResponse:
    return client.post("/sign-in", data={"run": run, "password": password, **more})


def test_a_person_signs_in_and_out(app: Flask, client: FlaskClient, person: Person) -> None:
    answer = sign_in(client, person)
    assert (answer.status_code, answer.location) == (303, "/account")
    assert "María Carmen" in client.get("/account").text
    assert client.get("/sign-out").status_code == 200
    assert is_signed_in(client)
    assert client.post("/sign-out").location == "/"
    assert not is_signed_in(client)
    started, ended = recorded(app, "identity:session:started"), recorded(app, "identity:session:ended")
    assert [event.actor for event in started] == [event.actor for event in ended] == [str(person.id)]


def test_the_form_works_with_the_names_of_the_contract(client: FlaskClient) -> None:
    page = client.get("/sign-in").text
    for field in ('name="run"', 'name="password"', 'id="run"', 'id="password"', 'autocomplete="current-password"'):
        assert field in page


def test_the_cookie_is_for_this_site_alone(client: FlaskClient, person: Person) -> None:
    header = sign_in(client, person).headers["Set-Cookie"]
    assert f"{COOKIE}=" in header
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header


def test_the_cookie_is_kept_as_a_hash(app: Flask, client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    with app.app_context():
        row = session().scalars(select(SignInSession)).one()
    assert cookie(client).encode() not in row.token_hash
    assert row.sid != cookie(client)


def test_a_wrong_check_digit_is_told_at_the_field_with_the_input_kept(client: FlaskClient) -> None:
    answer = post(client, "12.345.678-9", "x", next="/account")
    assert answer.status_code == 422
    assert 'id="run-error"' in answer.text
    assert "12.345.678-9 no es un RUN" in answer.text
    assert 'value="12.345.678-9"' in answer.text
    assert 'name="next" value="/account"' in answer.text


def test_an_unknown_person_and_a_wrong_password_are_told_the_same(
    app: Flask, client: FlaskClient, person: Person
) -> None:
    wrong = post(client, str(person.run), "not the password")
    unknown = post(client, "11.111.111-1", "not the password")
    assert wrong.status_code == unknown.status_code == 422
    assert _without_what_differs(wrong, str(person.run)) == _without_what_differs(unknown, "11.111.111-1")
    refusals = recorded(app, "identity:sign-in:refused")
    assert [event.detail["reason"] for event in refusals] == ["wrong password", "unknown person"]
    assert "not the password" not in str([event.detail for event in refusals])


def _without_what_differs(answer: TestResponse, run: str) -> str:
    lines = answer.text.replace(run, "").splitlines()
    return "\n".join(line for line in lines if "csrf_token" not in line and "nonce" not in line)


def test_an_unknown_person_costs_a_hash_as_well(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes: list[str] = []

    def spy(password: str, password_hash: str, pepper: bytes) -> bool:
        hashes.append(password_hash)
        return True

    monkeypatch.setattr("identity.authentication.passwords.actions.password_matches", spy)
    answer = post(client, "11.111.111-1", "anything")
    assert len(hashes) == 1
    assert hashes[0].startswith("$argon2id$")
    assert answer.status_code == 422, "even a match with nobody's hash lets nobody in"


@pytest.mark.parametrize("run", ["", " ", "nonsense", "12.345.678-9", "1" * 10_000, "12345678\x005"])
def test_what_is_no_run_is_no_failure_of_anybody(app: Flask, client: FlaskClient, run: str) -> None:
    assert post(client, run, "x").status_code == 422
    assert recorded(app, "identity:sign-in:refused") == []


EVIL = [
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "///evil.example",
    "evil.example",
    "/account\r\nSet-Cookie: a=b",
    "/\x00/evil.example",
]


@pytest.mark.parametrize("target", EVIL)
def test_no_address_leads_away_after_signing_in(client: FlaskClient, person: Person, target: str) -> None:
    assert post(client, str(person.run), PASSWORD, next=target).location == "/"
    assert client.get(f"/sign-in?next={quote(target)}").location == "/"


@pytest.mark.parametrize("target", ["/%2f%2fevil.example", "/%5cevil.example", "/a/..//evil.example"])
def test_an_encoded_address_stays_a_path_of_this_site(client: FlaskClient, person: Person, target: str) -> None:
    location = post(client, str(person.run), PASSWORD, next=target).location
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_after_signing_in_one_goes_on_to_where_one_wanted(client: FlaskClient, person: Person) -> None:
    wanted = "/openid/authorize?client_id=x&scope=openid%20run&redirect_uri=https%3A%2F%2Fa.example%2Fcb"
    shown = client.get(f"/sign-in?next={quote(wanted, safe='')}").text
    assert wanted.replace("&", "&amp;") in shown
    assert post(client, str(person.run), PASSWORD, next=wanted).location == wanted
    assert client.get(f"/sign-in?next={quote(wanted, safe='')}").location == wanted


def test_again_asks_even_who_is_signed_in(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    assert client.get("/sign-in").status_code == 303
    assert client.get("/sign-in?again=1").status_code == 200


def test_officials_go_to_their_agencies(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        official = an_official(an_agency())
    assert sign_in(client, official).location == "/agency"


def test_a_planted_cookie_is_never_taken_over(app: Flask, client: FlaskClient, person: Person) -> None:
    client.set_cookie(COOKIE, "planted-by-an-attacker")
    sign_in(client, person)
    assert cookie(client) != "planted-by-an-attacker"
    attacker = app.test_client()
    attacker.set_cookie(COOKIE, "planted-by-an-attacker")
    assert not is_signed_in(attacker)


def test_signing_in_again_ends_the_session_before(app: Flask, client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    before = cookie(client)
    sign_in(client, person)
    assert cookie(client) != before
    thief = app.test_client()
    thief.set_cookie(COOKIE, before)
    assert not is_signed_in(thief)
    assert is_signed_in(client)


@pytest.mark.parametrize("value", ["", "x", "x" * 3000, "%00", "' OR 1=1 --", "ñ"])
def test_a_made_up_cookie_is_nobody(client: FlaskClient, value: str) -> None:
    client.set_cookie(COOKIE, value)
    assert client.get("/account").location.startswith("/sign-in?next=")


def test_the_hash_or_the_sid_in_the_cookie_is_nobody(app: Flask, client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    with app.app_context():
        row = session().scalars(select(SignInSession)).one()
    for value in (row.sid, row.token_hash.hex(), str(row.id)):
        client.set_cookie(COOKIE, value)
        assert not is_signed_in(client)


def test_a_cookie_counts_for_nothing_in_the_api(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    with client:
        client.get("/api/v1/agencies")
        assert current_principal().kind == "anonymous"


def test_silence_ends_a_session(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    with shifted(IDLE_LIMIT + timedelta(seconds=1)):
        assert not is_signed_in(client)


def test_use_keeps_a_session_alive_until_its_twelve_hours(client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    step = IDLE_LIMIT - timedelta(minutes=1)
    steps = int(ABSOLUTE_LIMIT / step)
    for number in range(1, steps + 1):
        with shifted(step * number):
            assert is_signed_in(client)
    with shifted(ABSOLUTE_LIMIT):
        assert not is_signed_in(client)


def test_nobody_is_signed_in_by_another_site(app: Flask, client: FlaskClient, person: Person) -> None:
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "cross-site"
    answer = sign_in(client, person)
    assert answer.status_code == 403
    assert not cookie(client)


def test_what_forms_carried_before_a_sign_in_is_good_no_more(app: Flask, person: Person) -> None:
    old_browser = FlaskClient(app, app.response_class)

    def token(path: str) -> str:
        found = re.search(f'name="{FIELD}" value="([^"]+)"', old_browser.get(path).text)
        assert found
        return found[1]

    form = {FIELD: token("/sign-in"), "run": str(person.run), "password": PASSWORD}
    assert old_browser.post("/sign-in", data=form).status_code == 303
    assert old_browser.post("/sign-out", data=form).status_code == 400
    assert old_browser.post("/sign-out", data={FIELD: token("/sign-out")}).status_code == 303


def test_a_sign_in_says_who_asks(app: Flask, client: FlaskClient) -> None:
    asking = SignInPurpose("Portal <Uno>", "12.345.678-5")
    WAY.fill(app, Way(lambda path: asking if "authorize" in path else None, lambda _: None))
    page = client.get("/sign-in?next=/openid/authorize").text
    assert "Portal &lt;Uno&gt;" in page
    assert 'value="12.345.678-5"' in page
    assert "Portal" not in client.get("/sign-in?next=/account").text


def test_the_pages_speak_english_too(client: FlaskClient) -> None:
    assert "Show the password" in client.get("/sign-in", headers={"Accept-Language": "en"}).text
    assert "Mostrar la contraseña" in client.get("/sign-in", headers={"Accept-Language": "es"}).text


def test_a_page_of_failure_still_says_who_is_signed_in(app: Flask, client: FlaskClient, person: Person) -> None:
    sign_in(client, person)
    app.config["TESTING"] = False  # as outside of tests, where a defect is a page
    with patch("identity.openid.web.render_template", side_effect=RuntimeError):
        answer = client.get("/account/applications")
    assert answer.status_code == 500
    assert person.name in answer.text
