"""An address that asks too often for a page, or to sign in, waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import Mock, patch

from builders.apps import under_test
from builders.clients import a_code, asks_to_sign_in, path_of
from builders.identity import PASSWORD
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.registry.actions import NewClient
from identity.openid.models import Grant
from identity.people.models import Person
from kernel.base.settings import Settings
from kernel.database.db import ENGINE, session
from kernel.http import rate_limit
from kernel.http.rate_limit import MINUTE
from portal.app import create_app


@contextmanager
def limited(settings: Settings, made: NewClient, trusted_proxies: int = 0) -> Iterator[FlaskClient]:
    """A stranger's browser at an application that lets an address ask three times in a minute, which does not end."""
    application = under_test(create_app(replace(settings, environment="development", trusted_proxies=trusted_proxies)))
    stopped = Mock(time=lambda: 1_000_000.0)
    with patch.object(rate_limit, "REQUESTS_A_MINUTE", 3), patch.object(rate_limit, "time", stopped):
        browser = application.test_client(use_cookies=False)
        browser.get(path_of(made), environ_base={"REMOTE_ADDR": "203.0.113.1"})
        yield browser
    ENGINE.of(application).dispose()


def asked_by(browser: FlaskClient, address: str) -> int:
    """The requests of the address, as the application counted."""
    minute = MINUTE.of(browser.application)
    return minute.counts.get(address, 0) if minute else 0


def test_who_asks_too_often_for_the_page_waits(settings: Settings, made: NewClient) -> None:
    with limited(settings, made) as browser:
        answers = [browser.get(path_of(made)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert (asks_to_sign_in(answers[4]), "Retry-After" in answers[4].headers) == (False, True)
        assert asks_to_sign_in(browser.get(path_of(made), environ_base={"REMOTE_ADDR": "192.0.2.1"}))


def test_who_signs_in_too_often_waits(
    app: Flask, client: FlaskClient, settings: Settings, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    form = {"run": str(person.run), "password": PASSWORD, "next": path_of(made)}
    with limited(settings, made) as browser:
        answers = [browser.post("/sign-in", data=form) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    with app.app_context():
        assert len(session().scalars(select(Grant)).all()) == 1 + 3


def test_behind_a_proxy_it_is_the_forwarded_address_that_waits(settings: Settings, made: NewClient) -> None:
    with limited(settings, made, trusted_proxies=1) as browser:
        for address in ("192.0.2.1", "192.0.2.2"):
            headers = {"X-Forwarded-For": f"203.0.113.9, {address}"}
            for status in (200, 200, 200, 429):
                assert browser.get(path_of(made), headers=headers).status_code == status
        assert [asked_by(browser, address) for address in ("127.0.0.1", "203.0.113.9")] == [0, 0]


def test_without_a_proxy_what_is_said_of_the_address_changes_nothing(settings: Settings, made: NewClient) -> None:
    with limited(settings, made) as browser:
        for number, status in enumerate((200, 200, 200, 429)):
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            assert browser.get(path_of(made), headers=headers).status_code == status
            assert asked_by(browser, f"192.0.2.{number}") == 0


REQUESTS: list[dict[str, Any]] = [
    {"headers": {"Cookie": "theirs=1"}},
    {"headers": {"Accept-Language": "en"}},
    {"path": "/sign-in", "method": "POST", "data": {"run": "", "password": "", "next": ""}},
    {"path": "/sign-in", "method": "POST", "data": {"run": "11.111.111-1", "password": "guess"}},
]


def test_every_request_is_counted_once(settings: Settings, made: NewClient) -> None:
    with limited(settings, made) as browser:
        for number, asked in enumerate(REQUESTS):
            address = f"192.0.2.{number}"
            request = {"path": path_of(made), "environ_base": {"REMOTE_ADDR": address}, **asked}
            if "data" in request:
                request["data"] = {**request["data"], "next": path_of(made)}
            browser.open(**request)
            assert asked_by(browser, address) == 1
