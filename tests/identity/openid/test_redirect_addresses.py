"""A redirect address that has a query of its own is retained octet by octet (RFC 6749 3.1.2), wherever it leads."""

from html import unescape
from urllib.parse import parse_qsl

import pytest
from builders.clients import STATE, a_client, authorize, decide, path_of, tokens_for
from builders.identity import PASSWORD
from builders.requests import agree, posted
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.authorization.response_modes import address_with
from identity.people.models import Person

HOST = "http://127.0.0.1:9"
ADDRESSES = [
    f"{HOST}/index.php?/login/callback",
    f"{HOST}/cb?flag",
    f"{HOST}/cb?path=a=b/c",
    f"{HOST}/cb?a=%7e%2F+b&&a=&;x=1",
    f"{HOST}/cb?",
    f"{HOST}/cb?page=1&",
    f"{HOST}/cb&x=(1)!'~[]|",
    "https://Example.cl:443?q",
]
addresses = pytest.mark.parametrize("address", ADDRESSES)


def test_what_follows_the_address_is_one_more_parameter_each() -> None:
    joints = {"cb": "?", "cb?": "", "cb?a": "&", "cb?a=b&": "", "cb?/x?y": "&", "cb&": "?", "cb?a=b?": ""}
    assert {one: address_with(one, {"code": "x y"}) for one in joints} == {
        one: f"{one}{joint}code=x+y" for one, joint in joints.items()
    }


@pytest.fixture
def returning(app: Flask, address: str) -> NewClient:
    with app.app_context():
        return a_client("standard", redirect_uris=[address], post_logout_redirect_uris=[address])


def added_to(address: str, response: TestResponse) -> dict[str, str]:
    """The octets behind the address, none of them another one."""
    location = response.headers["Location"]
    assert location.startswith(address)
    return dict(parse_qsl(location.removeprefix(address).lstrip("?&#"), strict_parsing=True))


@addresses
def test_answers_and_errors_come_behind_what_is_registered(
    client: FlaskClient, person: Person, returning: NewClient, address: str
) -> None:
    answer = added_to(address, agree(client, authorize(client, returning)))
    assert (set(answer), answer["state"]) == ({"code", "state", "iss"}, STATE)
    assert added_to(address, authorize(client, returning, scope="run"))["error"] == "invalid_scope"
    denied = decide(client, authorize(client, returning, prompt="consent"), "deny")
    assert added_to(address, denied)["error"] == "access_denied"


@addresses
@pytest.mark.parametrize("mode", ["fragment", "jwt", "query.jwt", "fragment.jwt"])
def test_other_modes_retain_it_as_well(
    client: FlaskClient, person: Person, returning: NewClient, address: str, mode: str
) -> None:
    answered = agree(client, authorize(client, returning, response_mode=mode))
    joint = answered.headers["Location"].removeprefix(address)[:1]
    assert (joint == "#") == mode.startswith("fragment")
    assert set(added_to(address, answered)) == ({"code", "state", "iss"} if mode == "fragment" else {"response"})


@addresses
@pytest.mark.parametrize("mode", ["form_post", "form_post.jwt"])
def test_a_form_goes_to_the_very_address(
    client: FlaskClient, person: Person, returning: NewClient, address: str, mode: str
) -> None:
    page = agree(client, authorize(client, returning, response_mode=mode))
    action = page.text.partition('method="post" action="')[2].partition('"')[0]
    assert unescape(action) == address
    assert set(posted(page)) == ({"code", "state", "iss"} if mode == "form_post" else {"response"})


@addresses
def test_a_sign_in_leads_to_it(
    app: Flask, client: FlaskClient, person: Person, returning: NewClient, address: str
) -> None:
    agree(client, authorize(client, returning))
    stranger = app.test_client(use_cookies=False)
    form = {"run": str(person.run), "password": PASSWORD, "next": path_of(returning)}
    assert "code" in added_to(address, stranger.post("/sign-in", data=form))


@addresses
def test_leaving_leads_to_it(client: FlaskClient, person: Person, returning: NewClient, address: str) -> None:
    hint = tokens_for(client, returning)["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": address, "state": STATE}
    assert added_to(address, client.get("/openid/end-session", query_string=asked)) == {"state": STATE}


@addresses
def test_leaving_as_the_manual_says_leads_to_it(
    client: FlaskClient, person: Person, returning: NewClient, address: str
) -> None:
    left = client.get("/api/v1/accounts/app/logout", query_string={"redirect": address})
    assert (left.status_code, left.headers["Location"]) == (302, address)


def test_another_port_of_the_same_machine_changes_nothing_else(app: Flask, client: FlaskClient, person: Person) -> None:
    for registered in ("http://127.0.0.1/cb?/login/callback", "http://127.0.0.1:4/cb?", "http://127.0.0.1/cb?flag"):
        with app.app_context():
            made = a_client("standard", redirect_uris=[registered], auth_method="none")
        asked = registered.replace("127.0.0.1:4", "127.0.0.1").replace("127.0.0.1", "127.0.0.1:5001")
        assert "code" in added_to(asked, agree(client, authorize(client, made, redirect_uri=asked)))
        assert authorize(client, made, redirect_uri=asked + "=").status_code == 400
