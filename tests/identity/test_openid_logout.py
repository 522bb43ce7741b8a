"""Leaving: as OpenID Connect has it, and as ClaveÚnica has it."""

import pytest
from builders.clients import LEFT, a_client, tokens_for
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.actions import NewClient


@pytest.fixture
def made(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard")


@pytest.fixture
def id_token(app: Flask, client: FlaskClient, made: NewClient) -> str:
    """The ID token of the person who is signed in to `client`."""
    with app.app_context():
        person = a_person(is_test_person=True)
    sign_in(client, person)
    return str(tokens_for(client, made)["id_token"])


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account/applications").status_code == 200


def test_with_the_sessions_own_id_token_one_leaves_at_once(client: FlaskClient, id_token: str) -> None:
    query = {"id_token_hint": id_token, "post_logout_redirect_uri": LEFT, "state": "ñ&="}
    response = client.get("/openid/end-session", query_string=query)
    assert (response.status_code, response.headers["Location"]) == (303, LEFT + "?state=%C3%B1%26%3D")
    assert not is_signed_in(client)


def test_a_link_alone_signs_nobody_out(client: FlaskClient, made: NewClient, id_token: str) -> None:
    for query in ({}, {"client_id": made.client.client_id, "post_logout_redirect_uri": LEFT}, {"id_token_hint": "x"}):
        page = client.get("/openid/logout", query_string=query)
        assert page.status_code == 200, query
        assert is_signed_in(client)


def test_who_says_yes_leaves_and_goes_on(client: FlaskClient, made: NewClient, id_token: str) -> None:
    form = {"client_id": made.client.client_id, "post_logout_redirect_uri": LEFT}
    assert client.post("/openid/end-session/confirm", data=form).headers["Location"] == LEFT
    assert not is_signed_in(client)


def test_unregistered_places_are_never_gone_to(client: FlaskClient, made: NewClient, id_token: str) -> None:
    client_id = made.client.client_id
    for place in (
        "https://elsewhere.example/",
        LEFT + "/",
        LEFT + "?a=b",
        "//elsewhere.example",
        "javascript:alert(1)",
    ):
        for query in ({"id_token_hint": id_token}, {"client_id": client_id}, {}):
            query = {**query, "post_logout_redirect_uri": place}
            response = client.get("/openid/end-session", query_string=query)
            assert (response.status_code, response.headers.get("Location")) == (400, None), query
    mixed = {"id_token_hint": id_token, "client_id": "other", "post_logout_redirect_uri": LEFT}
    assert client.get("/openid/end-session", query_string=mixed).status_code == 400
    assert is_signed_in(client)


def test_an_old_id_token_of_another_session_only_asks(
    app: Flask, client: FlaskClient, made: NewClient, id_token: str
) -> None:
    with app.app_context():
        other = a_person(is_test_person=True)
    sign_in(client, other)
    assert client.get("/openid/end-session", query_string={"id_token_hint": id_token}).status_code == 200
    assert is_signed_in(client)


def test_clave_unicas_way_leads_only_to_registered_authorities(client: FlaskClient, id_token: str) -> None:
    path = "/api/v1/accounts/app/logout"
    for place in (
        "https://elsewhere.example/",
        "http://127.0.0.1:9@elsewhere.example/",
        "http://127.0.0.1:9\\@elsewhere.example/",
        "http://127.0.0.1:90/",
        "http://127.0.0.1/",
        "https://127.0.0.1:9/",
        "//127.0.0.1:9/",
        "/",
        "\x00",
        "http://[",
        "javascript://127.0.0.1:9/%0Aalert(1)",
    ):
        response = client.get(path, query_string={"redirect": place})
        assert (response.status_code, response.headers.get("Location")) == (204, None), place
    response = client.get(path + "/", query_string={"redirect": "http://127.0.0.1:9/any/page?x=1"})
    assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:9/any/page?x=1")


def test_clave_unicas_way_ends_the_session(client: FlaskClient, id_token: str) -> None:
    assert client.get("/api/v1/accounts/app/logout").status_code == 204
    assert not is_signed_in(client)
