"""Codes and refresh tokens presented by many at once, against a real PostgreSQL."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from builders.clients import a_client, a_code, basic, redeem, tokens_for
from builders.identity import a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.actions import NewClient, rotate_secret
from identity.clients.queries import registered_client
from kernel import clock

AT_ONCE = 8


def prepared(app: Flask, client: FlaskClient) -> NewClient:
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("standard", scopes=["openid", "offline_access"])
    sign_in(client, person)
    return made


def test_a_code_presented_by_many_at_once_works_for_one(app: Flask, client: FlaskClient) -> None:
    made = prepared(app, client)
    for _ in range(3):
        code = a_code(client, made, scope="openid")
        together = Barrier(AT_ONCE)

        def present(_: int, code: str = code, together: Barrier = together) -> int:
            browser = app.test_client()
            together.wait()
            return redeem(browser, made, code).status_code

        with ThreadPoolExecutor(AT_ONCE) as threads:
            assert Counter(threads.map(present, range(AT_ONCE))) == {200: 1, 400: AT_ONCE - 1}


def test_a_refresh_token_presented_by_many_at_once_is_answered_to_all_as_one_retry(
    app: Flask, client: FlaskClient
) -> None:
    made = prepared(app, client)
    token = tokens_for(client, made, scope="openid offline_access")["refresh_token"]
    together = Barrier(AT_ONCE)

    def present(_: int) -> int:
        browser = app.test_client()
        together.wait()
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return browser.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret)).status_code

    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert Counter(threads.map(present, range(AT_ONCE))) == {200: AT_ONCE}


def test_secrets_rotated_at_once_never_exceed_two(app: Flask, client: FlaskClient) -> None:
    made = prepared(app, client)

    def rotate(_: int) -> str:
        with app.app_context():
            return rotate_secret(made.client.client_id)

    with ThreadPoolExecutor(4) as threads:
        secrets = list(threads.map(rotate, range(4)))
    with app.app_context():
        found = registered_client(made.client.client_id)
        assert found is not None
        assert sum(found.knows_secret(secret, clock.now()) for secret in secrets) == 2
