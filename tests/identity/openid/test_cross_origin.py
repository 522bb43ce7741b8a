"""Pages of applications without a secret may call us from their own origin, and nobody else's pages may (CORS)."""

from collections.abc import Iterator
from typing import Any

import pytest
from builders.apps import under_test
from builders.clients import a_client, a_code, a_request, authorize, basic, redeem, token_form, userinfo
from builders.doors import directly
from builders.requests import agree
from builders.statements import counted
from builders.waiting import wait_until
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.redirect_uris.rules import origins_of
from identity.clients.registry.actions import NewClient, change_registration, revoke_client
from identity.clients.registry.queries import any_client, propose
from identity.people.models import Person
from kernel.base.settings import Settings
from kernel.database.change_feed import CHANGE_FEED
from kernel.database.db import ENGINE
from portal.app import create_app

ORIGIN = "https://app.example.cl"
CALLBACK = f"{ORIGIN}/callback?x=1"
ELSEWHERE = "https://server.example.cl"
TOKEN, USERINFO, REVOKE, PAR = "/openid/token", "/openid/userinfo", "/openid/revoke", "/openid/par"
CALLED = {TOKEN: "POST", USERINFO: "GET", REVOKE: "POST", PAR: "POST"}
FOR_EVERYONE = (
    *("/openid/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/openid", "/openid/jwks"),
    *("/.well-known/openid-configuration/openid", "/openid/.well-known/oauth-authorization-server"),
    *("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/api/v1"),
)
NOT_FOR_PAGES = ("/openid/introspect", "/openid/register", "/openid/device_authorization", "/openid/authorize",
                 "/openid/end-session", "/sign-in", "/api/v1/account/applications")  # fmt: skip
ATTACKERS = [
    "https://evil.example",
    ELSEWHERE,
    "null",
    "*",
    "http://app.example.cl",
    "https://app.example.cl:8443",
    "https://app.example.cl:443",
    "https://app.example.cl.evil.example",
    "https://app.example.clevil",
    "https://evilapp.example.cl",
    "https://evil.app.example.cl",
    "https://example.cl",
    "https://APP.example.cl",
    "https://app.example.cl/",
    "https://app.example.cl/callback",
    "https://app.example.cl, https://evil.example",
    "https://app.example.cl https://evil.example",
    "https://app.example.cl@evil.example",
    "https://app.example.cl\x00",
    "",
]


@pytest.fixture
def application(app: Flask) -> NewClient:
    """One that runs in a browser, and beside it one that runs on a server."""
    with app.app_context():
        a_client("standard", redirect_uris=[f"{ELSEWHERE}/callback"])
        return a_client("standard", redirect_uris=[CALLBACK], auth_method="none")


def preflight(browser: FlaskClient, path: str, origin: str = ORIGIN, method: str = "POST") -> TestResponse:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return browser.options(path, headers={**headers, "Access-Control-Request-Headers": "authorization,dpop"})


def allowed(response: TestResponse) -> str | None:
    assert "Access-Control-Allow-Credentials" not in response.headers
    return response.headers.get("Access-Control-Allow-Origin")


def exchanged(browser: FlaskClient, made: NewClient, origin: str, **changed: str | None) -> TestResponse:
    code = agree(browser, authorize(browser, made)).location.partition("code=")[2].partition("&")[0]
    return browser.post(TOKEN, data=token_form(made, code, client_secret=None, **changed), headers={"Origin": origin})


class TestPreflight:
    """A browser's question before it lets a page send anything unusual."""

    @pytest.mark.parametrize("path", CALLED)
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_a_page_of_the_application_may_ask(
        self, client: FlaskClient, application: NewClient, path: str, slash: str
    ) -> None:
        answer = preflight(client, path + slash, method=CALLED[path])
        assert (answer.status_code, answer.text, allowed(answer)) == (204, "", ORIGIN)
        assert CALLED[path] in answer.headers["Access-Control-Allow-Methods"].split(", ")
        sent = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert set(sent) == {"authorization", "content-type", "dpop"}
        assert "Origin" in answer.headers["Vary"]
        assert int(answer.headers["Access-Control-Max-Age"]) <= 600

    @pytest.mark.parametrize("path", CALLED)
    def test_nobody_elses_page_may(self, client: FlaskClient, application: NewClient, path: str) -> None:
        for origin in ATTACKERS:
            answer = preflight(client, path, origin)
            assert (answer.status_code, allowed(answer)) == (204, None), origin
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")], origin
            assert "Origin" in answer.headers["Vary"]

    @pytest.mark.parametrize("path", NOT_FOR_PAGES)
    def test_other_endpoints_are_not_for_pages(self, client: FlaskClient, application: NewClient, path: str) -> None:
        assert allowed(preflight(client, path)) is None

    def test_one_without_an_origin_is_told_the_methods(self, client: FlaskClient, application: NewClient) -> None:
        answer = client.options(TOKEN)
        assert (answer.status_code, allowed(answer)) == (200, None)
        assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}

    def test_an_application_that_ends_or_moves_takes_its_origin_along(
        self, app: Flask, client: FlaskClient, application: NewClient
    ) -> None:
        assert allowed(preflight(client, TOKEN)) == ORIGIN
        client_id = application.client.client_id
        with app.app_context():
            change_registration(propose(any_client(client_id), redirect_uris=["https://new.example.cl/"]))
        assert allowed(preflight(client, TOKEN)) is None
        assert allowed(preflight(client, TOKEN, "https://new.example.cl")) == "https://new.example.cl"
        with app.app_context():
            revoke_client(client_id)
        assert allowed(preflight(client, TOKEN, "https://new.example.cl")) is None


class TestAnswers:
    """Answers, and the origins that may read them."""

    def test_a_page_reads_its_tokens_and_its_person(
        self, client: FlaskClient, person: Person, application: NewClient
    ) -> None:
        answer = exchanged(client, application, ORIGIN)
        assert (answer.status_code, allowed(answer)) == (200, ORIGIN)
        assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) == {"WWW-Authenticate", "DPoP-Nonce"}
        assert "Origin" in answer.headers["Vary"]
        token = {"Authorization": f"Bearer {answer.get_json()['access_token']}", "Origin": ORIGIN}
        for told in (client.get(USERINFO, headers=token), client.post(USERINFO, headers=token)):
            assert (told.status_code, allowed(told)) == (200, ORIGIN)
        form = {"token": answer.get_json()["access_token"], "client_id": application.client.client_id}
        revoked = client.post(REVOKE, data=form, headers={"Origin": ORIGIN})
        assert (revoked.status_code, revoked.text, allowed(revoked)) == (200, "", ORIGIN)
        assert "Content-Type" not in revoked.headers, "libraries that expect JSON refuse any other"
        ended = client.get(USERINFO, headers=token)
        assert (ended.status_code, allowed(ended)) == (401, ORIGIN)
        assert "WWW-Authenticate" in ended.headers

    def test_a_page_reads_the_name_of_its_pushed_request(self, client: FlaskClient, application: NewClient) -> None:
        pushed = client.post(PAR, data=a_request(application), headers={"Origin": ORIGIN})
        assert (pushed.status_code, allowed(pushed)) == (201, ORIGIN)

    def test_a_page_reads_what_was_wrong(self, client: FlaskClient, person: Person, application: NewClient) -> None:
        answer = exchanged(client, application, ORIGIN, code_verifier="x" * 43)
        assert (answer.status_code, answer.get_json()["error"], allowed(answer)) == (400, "invalid_grant", ORIGIN)

    def test_nobody_elses_page_reads_it(self, client: FlaskClient, person: Person, application: NewClient) -> None:
        for origin in ATTACKERS[:12]:
            answer = exchanged(client, application, origin)
            assert (answer.status_code, allowed(answer)) == (200, None), origin
            token = {"Authorization": f"Bearer {answer.get_json()['access_token']}", "Origin": origin}
            assert allowed(client.get(USERINFO, headers=token)) is None

    def test_another_browser_applications_page_reads_none_of_it(
        self, app: Flask, client: FlaskClient, person: Person, application: NewClient
    ) -> None:
        with app.app_context():
            a_client("standard", redirect_uris=["https://other.example.cl/"], auth_method="none")
        assert allowed(preflight(client, TOKEN, "https://other.example.cl")) == "https://other.example.cl"
        answer = exchanged(client, application, "https://other.example.cl")
        assert (answer.status_code, allowed(answer)) == (200, None)

    def test_answers_to_who_has_a_secret_are_for_no_page(
        self, app: Flask, client: FlaskClient, person: Person, application: NewClient
    ) -> None:
        with app.app_context():
            made = a_client("standard", redirect_uris=[f"{ORIGIN}/server"])
        headers = {"Origin": ORIGIN}
        for others in ({"data": token_form(made, a_code(client, made))}, self._by_header(client, made)):
            answer = client.post(TOKEN, **{**others, "headers": {**others.get("headers", {}), **headers}})
            assert (answer.status_code, allowed(answer)) == (200, None)
            token = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
            assert allowed(client.get(USERINFO, headers={**token, **headers})) is None

    @staticmethod
    def _by_header(browser: FlaskClient, made: NewClient) -> dict[str, Any]:
        form = token_form(made, a_code(browser, made), client_id=None, client_secret=None)
        return {"data": form, "headers": basic(made.client.client_id, made.secret)}

    def test_a_token_of_nobody_is_told_to_pages_that_may_ask_at_all(
        self, client: FlaskClient, application: NewClient
    ) -> None:
        headers = {"Authorization": "Bearer unknown"}
        for origin, seen in ((ORIGIN, ORIGIN), ("https://evil.example", None), (ELSEWHERE, None)):
            answer = client.get(USERINFO, headers={**headers, "Origin": origin})
            assert (answer.status_code, allowed(answer)) == (401, seen)

    def test_servers_go_on_taking_the_direct_door(self, client: FlaskClient, person: Person, made: NewClient) -> None:
        token = redeem(client, made, a_code(client, made)).get_json()["access_token"]
        told = directly(client, USERINFO, headers={"Authorization": f"Bearer {token}"})
        assert (told.status_code, allowed(told)) == (200, None)
        assert userinfo(client, token).status_code == 200


class TestRemembered:
    """A process's memory of the origins is never old, whoever registers or ends an application."""

    @pytest.fixture
    def elsewhere(self, app: Flask, settings: Settings) -> Iterator[Flask]:
        """Another process, such as the command line; this one listens to what it changes."""
        feed = CHANGE_FEED.of(app)
        feed.listen()
        wait_until(lambda: feed.is_listening)
        other = under_test(create_app(settings))
        yield other
        for each in (app, other):
            ENGINE.of(each).dispose()

    def test_what_another_process_registers_counts_at_once_and_ends_at_once(
        self, client: FlaskClient, elsewhere: Flask
    ) -> None:
        assert allowed(preflight(client, TOKEN)) is None
        with elsewhere.app_context():
            made = a_client("standard", redirect_uris=[CALLBACK], auth_method="none")
        wait_until(lambda: allowed(preflight(client, TOKEN)) == ORIGIN)
        with elsewhere.app_context():
            revoke_client(made.client.client_id)
        wait_until(lambda: allowed(preflight(client, TOKEN)) is None)

    def test_what_this_process_registers_counts_with_its_answer(self, app: Flask, client: FlaskClient) -> None:
        assert allowed(preflight(client, TOKEN)) is None
        with app.app_context():
            a_client("standard", redirect_uris=[CALLBACK], auth_method="none")
        assert allowed(preflight(client, TOKEN)) == ORIGIN

    @pytest.mark.usefixtures("no_time_passes")
    def test_a_preflight_asks_the_database_once(self, client: FlaskClient, application: NewClient) -> None:
        preflight(client, TOKEN)
        with counted() as statements:
            for origin in (ORIGIN, *ATTACKERS):
                preflight(client, TOKEN, origin)
        assert [each for each in statements if "client" in each] == []


@pytest.mark.parametrize("path", FOR_EVERYONE)
def test_what_is_for_everyone_is_for_every_page(client: FlaskClient, path: str) -> None:
    for origin in ("https://evil.example", "null", ORIGIN):
        answer = client.get(path, headers={"Origin": origin})
        assert (answer.status_code, allowed(answer)) == (200, "*")
        asked = preflight(client, path, origin, method="GET")
        assert (asked.status_code, allowed(asked), asked.headers["Access-Control-Allow-Methods"]) == (204, "*", "GET")
    assert allowed(client.get(path)) == "*"


def test_an_origin_is_written_as_browsers_write_it() -> None:
    written = {
        "HTTPS://App.Example.CL:443/x?y": "https://app.example.cl",
        "http://127.0.0.1:5601/callback": "http://127.0.0.1:5601",
        "http://localhost:80": "http://localhost",
        "http://[::1]:8080/": "http://[::1]:8080",
        "https://xn--trmites-cua.cl:8443/": "https://xn--trmites-cua.cl:8443",
    }
    assert {uri: origins_of([uri]) for uri in written} == {uri: {origin} for uri, origin in written.items()}
    assert origins_of(["cl.example:/callback", "not an address"]) == frozenset()
