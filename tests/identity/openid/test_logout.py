"""Leaving: as OpenID Connect has it, and as ClaveÚnica has it."""

from datetime import timedelta

import pytest
from builders.clients import LEFT, a_client, tokens_for
from builders.forms import hidden_inputs
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from identity.clients.registry.actions import NewClient, revoke_client
from kernel.base import clock


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


def test_who_says_yes_twice_ends_at_the_same_place(app: Flask, client: FlaskClient, id_token: str) -> None:
    with app.app_context():
        tried = a_client("standard", owner="developer:1", post_logout_redirect_uris=["http://localhost:5000/left"])
    address = "/openid/end-session/confirm"
    query = {"client_id": tried.client.client_id, "post_logout_redirect_uri": "http://localhost:5000/left"}
    form = hidden_inputs(client.get("/openid/end-session", query_string=query | {"state": "s"}).text, address)
    left = [client.post(address, data=form).headers["Location"] for _ in range(2)]
    assert left == ["http://localhost:5000/left?state=s"] * 2
    assert not is_signed_in(client)
    forged = form | {"going_to": form["going_to"][:-2]}
    assert client.post(address, data=forged).headers["Location"] == "/"
    assert client.get("/openid/end-session", query_string=query).headers["Location"] == "/", "a link leads nobody on"


def test_who_leaves_and_goes_nowhere_is_told(client: FlaskClient, id_token: str) -> None:
    form = hidden_inputs(client.get("/openid/end-session").text, "/openid/end-session/confirm")
    page = client.post("/openid/end-session/confirm", data=form, follow_redirects=True)
    assert page.request.path == "/"
    assert page.text.count("Cerró su sesión.") == 1
    assert page.text.index("Cerró su sesión.") < page.text.index("<h1"), (
        "above the opening of the page, where one looks"
    )


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


def test_an_id_token_that_has_ended_still_says_who_leaves(client: FlaskClient, id_token: str) -> None:
    """RP-Initiated Logout 2 and 4: it should be taken although its time is over."""
    query = {"id_token_hint": id_token, "post_logout_redirect_uri": LEFT}
    with clock.shifted(timedelta(hours=2)):
        # The session has ended, too, and nobody is asked.
        assert client.get("/openid/end-session", query_string=query).headers["Location"] == LEFT


def test_a_form_does_the_same_as_a_link(client: FlaskClient, id_token: str) -> None:
    """RP-Initiated Logout 2: GET and POST are supported; what is in the address of a form counts as in the form."""
    form = {"id_token_hint": id_token, "post_logout_redirect_uri": LEFT, "state": "x"}
    assert client.post("/openid/end-session", data=form).headers["Location"] == f"{LEFT}?state=x"
    assert not is_signed_in(client)


def test_without_a_place_to_go_to_the_state_goes_nowhere(client: FlaskClient, id_token: str) -> None:
    response = client.get("/openid/end-session", query_string={"id_token_hint": id_token, "state": "x"})
    assert (response.status_code, response.headers["Location"]) == (303, "/")


def test_what_comes_twice_or_from_somebody_else_signs_nobody_out(
    app: Flask, client: FlaskClient, made: NewClient, id_token: str
) -> None:
    with app.app_context():
        other = a_client("standard", name="Otra aplicación", post_logout_redirect_uris=["https://otra.example.cl/"])
        revoked = a_client("standard", name="Revocada")
        revoke_client(revoked.client.client_id)
    sound = [("id_token_hint", id_token), ("client_id", made.client.client_id), ("post_logout_redirect_uri", LEFT)]
    forged = id_token[:-8] + ("AAAAAAAA" if id_token[-8:] != "AAAAAAAA" else "BBBBBBBB")
    wrong: list[list[tuple[str, str]]] = [
        *([*sound, twice] for twice in sound),
        [*sound, ("state", "x"), ("state", "y")],
        [sound[0], ("client_id", other.client.client_id), sound[2]],
        [sound[0], ("post_logout_redirect_uri", other.client.post_logout_redirect_uris[0])],
        [("client_id", revoked.client.client_id), sound[2]],
        [("client_id", "unheard-of"), sound[2]],
        [sound[2]],
        [("id_token_hint", forged), sound[2]],
        [("id_token_hint", id_token + ".x"), sound[2]],
        [("id_token_hint", "x" * 20_000), sound[2]],
    ]
    for query in wrong:
        for answer in (
            client.get("/openid/end-session", query_string=MultiDict(query)),
            client.post("/openid/end-session/confirm", data=MultiDict(query)),
        ):
            assert (answer.status_code, answer.headers.get("Location")) == (400, None), query
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
