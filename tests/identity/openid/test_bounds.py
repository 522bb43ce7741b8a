"""A client's name said without proof fills no tables."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders.clients import a_client, a_request, basic
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app

ENDPOINTS = ("/openid/par", "/openid/device_authorization")
DEVICES = {"device_flow": True}


@pytest.fixture
def limited(app: Flask, settings: Settings) -> Iterator[FlaskClient]:
    """A browser of an application that limits, as those outside of tests do."""
    application = create_app(replace(settings, environment="development"))
    yield application.test_client()
    ENGINE.of(application).dispose()


def asked(browser: FlaskClient, path: str, made: NewClient, address: str) -> int:
    headers = basic(made.client.client_id, made.secret) if made.secret else {}
    form = a_request(made) if path == ENDPOINTS[0] else {"client_id": made.client.client_id, "scope": "openid"}
    return browser.post(path, data=form, headers=headers, environ_base={"REMOTE_ADDR": address}).status_code


@pytest.mark.parametrize("path", ENDPOINTS)
def test_one_address_has_its_share_and_others_have_theirs(app: Flask, limited: FlaskClient, path: str) -> None:
    with app.app_context():
        made = a_client("standard", auth_method="none", options=DEVICES)
    answers = [asked(limited, path, made, "192.0.2.1") for _ in range(62)]
    assert set(answers[:60]) <= {200, 201}
    assert answers[60:] == [429, 429]
    assert asked(limited, path, made, "192.0.2.2") in (200, 201)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_who_proves_who_they_are_is_not_counted(app: Flask, limited: FlaskClient, path: str) -> None:
    with app.app_context():
        made = a_client("standard", options=DEVICES)
    assert {asked(limited, path, made, "192.0.2.1") for _ in range(62)} <= {200, 201}
