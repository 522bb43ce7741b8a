"""A developer subscribes an application, sees what was sent to it, and finds nobody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders.forms import opened, send_form
from builders.receiver import Receiver, a_receiver
from builders.sandbox import a_developer, an_application
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import Webhook

from kernel.base.settings import Settings
from kernel.jobs.jobs import run_worker

LIST = "/sandbox/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    return replace(settings, outbound_allowed=frozenset({receiver.address}))


def test_a_developer_subscribes_an_application(app: Flask, client: FlaskClient, receiver: Receiver) -> None:
    a_developer(client)
    client_id, _ = an_application(client)
    party = f"client:{client_id}"
    assert f"{LIST}/deliveries?of={party}" in client.get(f"/sandbox/applications/{client_id}").text
    form = opened(client, f"{LIST}/new")
    fields = {"owner": party, "name": "Avisos", "url": receiver.url(), "types": ["client.approved"]}
    made = send_form(client, f"{LIST}/new", form, **fields)
    assert made.status_code == 201, made.text
    secret, page = re.search(r"whsec_[\w+/]+=*", made.text), re.search(rf"{LIST}/[0-9a-f-]{{36}}", made.text)
    assert secret
    assert page
    sent = send_form(client, f"{page[0]}/test", opened(client, page[0], f"{page[0]}/test"))
    run_worker(app, until_empty=True)
    [arrival] = [one for one in receiver.requests if "webhook-id" in one.headers]
    assert Webhook(secret[0]).verify(arrival.body, arrival.headers)["type"] == "test"
    assert sent.location in client.get(f"{LIST}/deliveries?of={party}").text
    # What is an agency's is not offered to an application.
    wrong = send_form(client, f"{LIST}/new", opened(client, f"{LIST}/new"), **fields | {"types": ["agreement.ended"]})
    assert wrong.status_code == 422
    stranger = app.test_client()
    a_developer(stranger, "otra@example.cl")
    for address in (page[0], sent.location, f"{LIST}/deliveries?of={party}"):
        assert stranger.get(address).status_code == 404
    assert stranger.post(f"{page[0]}/delete").status_code == 404
    taken = send_form(stranger, f"{LIST}/new", opened(stranger, f"{LIST}/new"), **fields)
    assert taken.status_code == 422


def test_strangers_sign_in_first(client: FlaskClient) -> None:
    assert client.get(LIST).status_code == 303
