"""A button that is pressed twice leads to one arrival: the application gets one answer, and never a second code."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from builders.clients import a_client, a_code, a_request, answer_of, authorize, decide, redeem, userinfo
from builders.identity import PASSWORD, a_person, sign_in
from builders.requests import a_request_uri, agree, show
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.models import Grant
from identity.people.models import Person
from kernel.database.db import session
from kernel.recording.audit import AuditEvent


def codes(app: Flask) -> int:
    with app.app_context():
        return session().scalar(select(func.count()).select_from(Grant)) or 0


def recorded(app: Flask, tag: str) -> int:
    with app.app_context():
        return session().scalar(select(func.count()).where(AuditEvent.tag == tag)) or 0


def is_told_of_the_first_answer(response: TestResponse) -> bool:
    return response.status_code == 409 and "oauth-already-answered" in response.text and not response.location


class TestConsent:
    """The two buttons of the consent page."""

    def test_the_second_press_gives_the_very_same_answer(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page = authorize(client, made)
        first, second = (decide(client, page, "allow").location for _ in range(2))
        assert first == second
        assert (codes(app), recorded(app, "identity:consent:given")) == (1, 1)
        assert recorded(app, "identity:application:entered") == 1
        answer = redeem(client, made, answer_of(decide(client, page, "allow"))["code"])
        assert userinfo(client, answer.get_json()["access_token"]).status_code == 200

    def test_two_presses_at_once_give_one_code(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page = authorize(client, made)
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda _: decide(client, page, "allow"), range(4)))
        assert len({answer.location for answer in answers}) == 1
        assert (codes(app), recorded(app, "identity:consent:given")) == (1, 1)

    def test_once_the_code_has_been_redeemed_a_page_says_so_and_nothing_is_revoked(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page = authorize(client, made)
        answer = redeem(client, made, answer_of(decide(client, page, "allow"))["code"]).get_json()
        assert is_told_of_the_first_answer(decide(client, page, "allow"))
        assert userinfo(client, answer["access_token"]).status_code == 200
        assert codes(app) == 1

    def test_who_has_agreed_cannot_deny_in_the_same_breath(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page = authorize(client, made)
        allowed = decide(client, page, "allow")
        assert is_told_of_the_first_answer(decide(client, page, "deny"))
        assert recorded(app, "identity:consent:denied") == 0
        assert redeem(client, made, answer_of(allowed)["code"]).status_code == 200

    def test_who_has_denied_has_denied(self, app: Flask, client: FlaskClient, person: Person, made: NewClient) -> None:
        page = authorize(client, made)
        first, second = (decide(client, page, "deny").location for _ in range(2))
        assert first == second
        assert "error=access_denied" in str(first)
        assert recorded(app, "identity:consent:denied") == 1
        assert is_told_of_the_first_answer(decide(client, page, "allow"))
        assert (codes(app), recorded(app, "identity:consent:given")) == (0, 0)

    def test_another_browser_of_the_same_person_gets_no_part_of_it(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page, elsewhere = authorize(client, made), app.test_client()
        sign_in(elsewhere, person)
        first = answer_of(decide(client, page, "allow"))
        other = decide(elsewhere, page, "allow")
        assert "code" not in str(other.location) or answer_of(other)["code"] != first["code"]

    def test_the_page_that_asks_anew_can_be_answered_anew(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        assert "error" in answer_of(decide(client, authorize(client, made), "deny"))
        assert "code" in answer_of(decide(client, authorize(client, made), "allow"))
        assert "code" in answer_of(decide(client, authorize(client, made, prompt="consent"), "allow"))
        assert codes(app) == 2

    def test_a_pushed_request_is_answered_once_and_alike(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page = show(client, made, request_uri=a_request_uri(client, made))
        first, second = (decide(client, page, "allow") for _ in range(2))
        assert answer_of(first) == answer_of(second)
        assert redeem(client, made, answer_of(first)["code"]).status_code == 200
        assert is_told_of_the_first_answer(decide(client, page, "allow"))
        assert codes(app) == 1

    def test_a_pushed_request_that_was_denied_stays_so(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        page = show(client, made, request_uri=a_request_uri(client, made))
        assert [answer_of(decide(client, page, "deny"))["error"] for _ in range(2)] == ["access_denied"] * 2
        assert is_told_of_the_first_answer(decide(client, page, "allow"))


class TestSignIn:
    """The sign-in form, of a person who has agreed before."""

    @pytest.fixture
    def form(self, app: Flask, client: FlaskClient, person: Person, made: NewClient) -> dict[str, str]:
        a_code(client, made)
        page = app.test_client(use_cookies=False).get("/openid/authorize", query_string=a_request(made))
        following = page.text.partition('name="next"')[2].partition('value="')[2].partition('"')[0]
        assert "detour=" in following
        return {"run": str(person.run), "password": PASSWORD, "next": following.replace("&amp;", "&")}

    def test_two_presses_give_one_code_that_belongs_to_the_session_that_stays(
        self, app: Flask, made: NewClient, form: dict[str, str]
    ) -> None:
        before = codes(app)
        browser = app.test_client(use_cookies=False)
        for _ in range(2):
            answer = browser.post("/sign-in", data=form)
        code = answer_of(answer)["code"]
        assert codes(app) == before + 1
        assert redeem(browser, made, code).status_code == 200
        with app.app_context():
            sids = select(Grant.sid).order_by(Grant.created_at.desc())
            latest = select(AuditEvent.detail).where(AuditEvent.tag == "identity:session:started")
            detail = session().scalars(latest.order_by(AuditEvent.id.desc())).first()
            assert detail is not None
            assert session().scalars(sids).first() == detail["sid"]

    def test_after_the_arrival_a_page_says_so(self, app: Flask, made: NewClient, form: dict[str, str]) -> None:
        browser = app.test_client()
        assert redeem(browser, made, answer_of(browser.post("/sign-in", data=form))["code"]).status_code == 200
        before = codes(app)
        again = app.test_client()
        answer = again.post("/sign-in", data=form, follow_redirects=True)
        assert is_told_of_the_first_answer(answer)
        assert codes(app) == before

    def test_somebody_else_who_comes_by_the_same_page_has_a_code_of_their_own(
        self, app: Flask, made: NewClient, form: dict[str, str]
    ) -> None:
        with app.app_context():
            other = a_person(is_test_person=True)
        browser, elsewhere = app.test_client(), app.test_client()
        first = answer_of(browser.post("/sign-in", data=form))["code"]
        page = elsewhere.post("/sign-in", data={**form, "run": str(other.run)}, follow_redirects=True)
        assert answer_of(agree(elsewhere, page))["code"] != first


def test_the_button_to_go_back_leads_to_no_second_code(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    browser = app.test_client()
    page = browser.get("/openid/authorize", query_string=a_request(made))
    following = page.text.partition('name="next"')[2].partition('value="')[2].partition('"')[0].replace("&amp;", "&")
    sign_in(browser, person, following=following)
    first = answer_of(decide(browser, browser.get(following), "allow"))
    # Back: the consent page's address is asked for again.
    assert answer_of(browser.get(following)) == first
    assert redeem(browser, made, first["code"]).status_code == 200
    assert is_told_of_the_first_answer(browser.get(following))
    assert codes(app) == 1


def test_a_device_is_decided_about_once(app: Flask, client: FlaskClient, person: Person) -> None:
    with app.app_context():
        made = a_client("standard", auth_method="none", options={"device_flow": True})
    started = client.post("/openid/device_authorization", data={"client_id": made.client.client_id, "scope": "openid"})
    form = {"user_code": started.get_json()["user_code"]}
    pages = [client.post("/device/decide", data={**form, "decision": said}) for said in ("allow", "allow", "deny")]
    assert [page.status_code for page in pages] == [200] * 3
    assert len({page.text.partition("<main")[2].partition("</main>")[0] for page in pages}) == 1
    assert recorded(app, "identity:consent:given") == 1
    elsewhere = app.test_client()
    sign_in(elsewhere, person)
    assert elsewhere.post("/device/decide", data={**form, "decision": "allow"}).status_code == 422
