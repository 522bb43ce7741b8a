"""A password is looked at once, and what follows from it is done once."""

import json
from dataclasses import replace

import pytest
from builders.apps import under_test
from builders.clients import (
    CALLBACK,
    a_client,
    a_code,
    a_request,
    answer_of,
    following,
    path_of,
    redeem,
    userinfo,
)
from builders.identity import PASSWORD, a_run
from builders.sign_ins import NO_COUNTER, Asking, asking_for
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from sqlalchemy import select

from identity.authentication.sessions.rules import COOKIE
from identity.clients.registry.actions import NewClient
from identity.people.models import Person
from kernel.base.settings import Settings
from kernel.database.db import ENGINE, session
from kernel.recording.audit import AuditEvent
from portal.app import create_app

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
ELSEWHERE = ["cross-site", "same-site", "", "Same-Origin", "same-origin, cross-site"]
WRONG_PASSWORDS = ["guess", "\x00", "ñ", "x" * 10_000, f"{PASSWORD} ", PASSWORD.upper(), b"\xff", b"\xed\xa0\x80"]
NOT_LOOKED_AT: list[dict[str, str | None]] = [
    *({"run": run} for run in ("nobody", "1-2", "\x00", "11.111.111-1\x00", "ñ", "9" * 4_000, " ", "", None)),
    {"password": ""},
    {"password": None},
]
FORWARDED = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7"}


class TestRefused:
    """Mistakes are told, and nothing is done twice for them."""

    def test_another_site_is_refused_before_anything_is_looked_at(self, asking: Asking) -> None:
        for site in ELSEWHERE:
            effects = asking.effects(headers={"Sec-Fetch-Site": site})
            assert (effects.status, effects.tags, effects.hashes) == (403, ["access:refused"], 0)
            assert (effects.sessions, effects.codes, effects.counters) == ([], [], NO_COUNTER)

    def test_who_does_not_say_where_from_needs_a_token(self, asking: Asking) -> None:
        effects = asking.effects(says_where_from=False)
        assert (effects.status, effects.hashes, effects.sessions) == (400, 0, [])

    def test_a_wrong_password_is_looked_at_once_and_counted_once(self, asking: Asking) -> None:
        for password in WRONG_PASSWORDS:
            effects = asking.effects(password=password)
            assert (effects.status, effects.tags, effects.hashes) == (422, ["identity:sign-in:refused"], 1)
            assert (effects.sessions, effects.codes) == ([], [])
            assert list(effects.counters.values()) == [1, 1, 1]

    def test_an_unknown_person_costs_the_same(self, asking: Asking) -> None:
        effects = asking.effects(run=a_run())
        assert (effects.status, effects.tags, effects.hashes) == (422, ["identity:sign-in:refused"], 1)
        assert list(effects.counters.values()) == [1, 1, 1]

    def test_what_is_no_run_or_is_left_empty_is_not_looked_at(self, asking: Asking) -> None:
        for changed in NOT_LOOKED_AT:
            effects = asking.effects(**changed)
            assert (effects.status, effects.tags, effects.hashes, effects.counters) == (422, [], 0, NO_COUNTER)

    def test_what_came_twice_is_looked_at_once(self, asking: Asking) -> None:
        for changed in ({"run": [asking.form["run"]] * 2}, {"password": ["guess", PASSWORD]}):
            assert asking.effects(**changed).hashes == 1

    def test_who_failed_often_has_to_wait_and_is_told_so_once(self, asking: Asking) -> None:
        asking.times_before = 7
        effects = asking.effects(password="guess")
        assert (effects.status, effects.tags, effects.hashes) == (429, ["identity:sign-in:refused"], 0)
        assert effects.counters == asking.counters_before

    def test_who_failed_once_is_let_in_and_forgiven(self, asking: Asking) -> None:
        asking.times_before = 2
        effects = asking.effects()
        assert (effects.hashes, [*effects.counters.values()]) == (1, [2])
        assert [*effects.counters] == ["address:127.0.0.1"]


class TestEntered:
    """The right password, and nothing more to ask."""

    @pytest.mark.parametrize("profile", ["standard", "clave-unica"])
    def test_a_person_who_has_agreed_enters_at_once(
        self, app: Flask, client: FlaskClient, person: Person, profile: str
    ) -> None:
        with app.app_context():
            made = a_client(profile)
        a_code(client, made)
        asking = asking_for(app, person, made)
        effects = asking.effects()
        assert (effects.status, effects.hashes, effects.counters) == (303, 1, NO_COUNTER)
        assert effects.tags == ["identity:session:started", "identity:application:entered"]
        assert (len(effects.sessions), len(effects.codes)) == (1, 1)
        assert {event["actor"] for event in effects.events} == {str(person.id)}
        assert {event["request_id"] for event in effects.events} == {"the-same-name"}

    def test_the_answer_is_the_applications_and_the_session_the_browsers(
        self, asking: Asking, client: FlaskClient, made: NewClient
    ) -> None:
        response = asking.ask()
        answer = answer_of(response)
        assert response.location.startswith(f"{CALLBACK}?")
        assert answer.keys() == {"code", "state", "iss"}
        assert (answer["state"], answer["iss"]) == (a_request(made)["state"], "http://localhost/openid")
        (cookie,) = response.headers.getlist("Set-Cookie")
        assert cookie.partition("; ")[2] == "HttpOnly; Path=/; SameSite=Lax"
        browser = client.application.test_client()
        browser.set_cookie(COOKIE, cookie.partition(";")[0].partition("=")[2])
        assert browser.get("/account").status_code == 200
        tokens = redeem(browser, made, answer["code"])
        assert tokens.status_code == 200
        assert userinfo(browser, tokens.get_json()["access_token"]).status_code == 200

    def test_what_the_page_gave_to_go_on_to_leads_on(
        self, asking: Asking, client: FlaskClient, made: NewClient
    ) -> None:
        stranger = client.application.test_client(use_cookies=False)
        effects = asking.effects(next=following(stranger.get(path_of(made))))
        assert effects.location.startswith(f"{CALLBACK}?")

    def test_the_session_tells_which_browser_it_is_in(self, asking: Asking) -> None:
        for agent in ("", FIREFOX, "x" * 2_000, "<b>", "\xf1"):
            (begun,) = asking.effects(headers={"User-Agent": agent}).sessions
            assert (begun["address"], begun["acr"], begun["amr"]) == (
                "127.0.0.1",
                "urn:cordillera:acr:1",
                ["pwd"],
            )
            assert ("Firefox" in begun["device"]) == (agent == FIREFOX)

    def test_a_run_may_be_written_in_many_ways(self, asking: Asking, person: Person) -> None:
        plain = str(person.run).replace(".", "").replace("-", "").lower()
        for run in (plain, f" {plain} ", f"0{plain}", f"{plain[:-1]}-{plain[-1].upper()}"):
            assert asking.effects(run=run).status == 303

    def test_more_fields_than_are_read_change_nothing(self, asking: Asking) -> None:
        assert asking.effects(csrf_token="", more="x").status == 303

    def test_who_loads_the_answer_once_more_is_let_in_again(self, asking: Asking) -> None:
        assert asking.effects(headers={"Sec-Fetch-Site": "none"}).status == 303

    def test_what_is_recorded_is_of_the_request_that_is_answered(self, app: Flask, asking: Asking) -> None:
        for changed in ({}, {"password": "guess"}, {"next": "/"}, {"next": f"{asking.form['next']}&prompt=consent"}):
            answer = asking.ask(headers={"X-Request-Id": "<"}, **changed)
            with app.app_context():
                events = session().scalars(select(AuditEvent.request_id).order_by(AuditEvent.id.desc()).limit(2)).all()
            assert answer.headers["X-Request-Id"] == events[0]
            assert (events[0] == events[1]) == (changed == {})

    def test_it_is_counted_and_logged_once(self, asking: Asking, capsys: pytest.CaptureFixture[str]) -> None:
        for changed, status in (({}, 303), ({"password": "guess"}, 422), ({"next": "/"}, 303)):
            labels = {"endpoint": "signin.authenticate", "method": "POST", "status": str(status)}
            before = REGISTRY.get_sample_value("cordillera_requests_total", labels) or 0
            capsys.readouterr()
            asking.ask(**changed)
            assert REGISTRY.get_sample_value("cordillera_requests_total", labels) == before + 1
            lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
            told = [(line["request_id"], line["path"], line["status"]) for line in lines if line["event"] == "request"]
            assert told == [("the-same-name", "/sign-in", status)]


@pytest.mark.parametrize(("trusted_proxies", "address"), [(0, "127.0.0.1"), (1, "192.0.2.7"), (2, "203.0.113.9")])
def test_sessions_and_failures_are_of_the_address_that_trusted_proxies_tell(
    settings: Settings, asking: Asking, trusted_proxies: int, address: str
) -> None:
    asking.app = under_test(create_app(replace(settings, trusted_proxies=trusted_proxies)))
    (begun,) = asking.effects(headers=FORWARDED).sessions
    refused = asking.effects(headers=FORWARDED, password="guess")
    assert (begun["address"], sorted(refused.counters)[2]) == (address, f"address:{address}")
    ENGINE.of(asking.app).dispose()
