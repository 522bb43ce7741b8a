"""Pages of subscriptions: an administrator subscribes, sees what was sent, and sends it again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders.clients import a_client, tokens_for
from builders.forms import opened, send_form
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from builders.receiver import Answer, Receiver, a_receiver
from flask import Flask
from flask.testing import FlaskClient

from kernel.base.settings import Settings
from kernel.jobs.jobs import run_worker

LIST = "/agency/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    return replace(settings, outbound_allowed=frozenset({receiver.address}))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An administrator of AE001."""
    with app.app_context():
        an_agency("AE001", "Servicio Uno")
        an_agency("AE002", "Servicio Dos")
        ana = an_official("AE001")
    browser = app.test_client()
    sign_in_for(browser, ana, "AE001")
    return browser


def subscribed(client: FlaskClient, receiver: Receiver, **written: Any) -> tuple[str, str]:
    """The address of a new subscription's page, and its secret."""
    fields = {"owner": "agency:AE001", "name": "Avisos", "url": receiver.url(), "types": ["client.approved"]}
    answer = send_form(client, f"{LIST}/new", opened(client, f"{LIST}/new"), **{**fields, **written})
    assert answer.status_code == 201, answer.text
    secret = re.search(r"whsec_[\w+/]+=*", answer.text)
    page = re.search(rf"{LIST}/[0-9a-f-]{{36}}", answer.text)
    assert secret
    assert page
    return page[0], secret[0]


def test_somebody_subscribes_and_sees_what_arrives(app: Flask, client: FlaskClient, receiver: Receiver) -> None:
    page, secret = subscribed(client, receiver)
    assert secret not in client.get(page).text
    sent = send_form(client, f"{page}/test", opened(client, page, f"{page}/test"))
    assert sent.status_code == 303
    receiver.answers = [Answer(500, body=b"the database is <away>")]
    run_worker(app, until_empty=True)
    shown = client.get(sent.location, headers={"Accept-Language": "en"}).text
    assert "the database is &lt;away&gt;" in shown
    assert "500" in shown
    again = send_form(client, f"{sent.location}/replay", opened(client, sent.location, f"{sent.location}/replay"))
    assert again.status_code == 303
    run_worker(app, until_empty=True)
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == 1
    assert len(receiver.requests) == 2
    assert sent.location in client.get(page).text
    assert page in client.get(LIST).text


def test_a_subscription_is_changed_paused_renewed_and_deleted(client: FlaskClient, receiver: Receiver) -> None:
    page, secret = subscribed(client, receiver)
    form = opened(client, f"{page}/edit")
    wrong = send_form(client, f"{page}/edit", form, name="Otra", url="http://example.cl/", types=["client.approved"])
    assert wrong.status_code == 422
    right = send_form(client, f"{page}/edit", form, name="Otra", url=receiver.url(), types=["client.approved"])
    assert right.status_code == 303
    assert "Otra" in client.get(page).text
    for step in ("pause", "resume"):
        assert send_form(client, f"{page}/{step}", opened(client, page, f"{page}/{step}")).status_code == 303
    renewed = send_form(client, f"{page}/secret", opened(client, page, f"{page}/secret"))
    assert "whsec_" in renewed.text
    assert secret not in renewed.text
    assert send_form(client, f"{page}/delete", opened(client, f"{page}/delete")).status_code == 303
    assert client.get(page).status_code == 404


def test_everything_since_a_day_is_sent_again(app: Flask, client: FlaskClient, receiver: Receiver) -> None:
    page, _ = subscribed(client, receiver)
    send_form(client, f"{page}/test", opened(client, page, f"{page}/test"))
    run_worker(app, until_empty=True)
    form = opened(client, page, f"{page}/replay")
    assert send_form(client, f"{page}/replay", form, since="no day", which="all").status_code == 422
    assert send_form(client, f"{page}/replay", form, since="2026-01-01", which="all").status_code == 303
    for _ in range(2):
        run_worker(app, until_empty=True)
    assert len(receiver.requests) == 2


def test_what_an_application_was_told_of_the_end_of_a_session_is_shown(
    app: Flask, client: FlaskClient, receiver: Receiver
) -> None:
    with app.app_context():
        options = {"backchannel_logout_uri": receiver.url("/salida")}
        made = a_client("standard", owner="agency:AE001", options=options)
        person = a_person(is_test_person=True)
    citizen = app.test_client()
    sign_in(citizen, person)
    tokens_for(citizen, made, scope="openid")
    citizen.post("/openid/end-session/confirm")
    receiver.answers = [Answer(503)]
    run_worker(app, until_empty=True)
    application = client.get(f"/agency/applications/{made.client.client_id}").text
    address = f"{LIST}/deliveries?of=client:{made.client.client_id}"
    assert address in application
    listed = client.get(address).text
    one = re.search(rf"{LIST}/deliveries/[0-9a-f-]{{36}}", listed)
    assert one
    assert "503" in client.get(one[0]).text


def test_another_agency_finds_nothing(app: Flask, client: FlaskClient, receiver: Receiver) -> None:
    page, _ = subscribed(client, receiver)
    sent = send_form(client, f"{page}/test", opened(client, page, f"{page}/test")).location
    with app.app_context():
        other = an_official("AE002")
        client_id = a_client("standard", owner="agency:AE001").client.client_id
    stranger = app.test_client()
    sign_in_for(stranger, other, "AE002")
    for address in (page, f"{page}/edit", f"{page}/delete", sent, f"{LIST}/deliveries?of=client:{client_id}"):
        assert stranger.get(address).status_code == 404, address
    for address in (f"{page}/{step}" for step in ("secret", "pause", "resume", "test", "delete")):
        assert stranger.post(address).status_code == 404, address
    assert stranger.post(f"{sent}/replay").status_code == 404
    form = opened(stranger, f"{LIST}/new")
    fields = {"owner": "agency:AE001", "name": "Avisos", "url": receiver.url(), "types": ["client.approved"]}
    assert send_form(stranger, f"{LIST}/new", form, **fields).status_code == 422


def test_only_administrators_may(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        publisher = an_official("AE001", "publisher")
    browser = app.test_client()
    sign_in_for(browser, publisher, "AE001")
    assert browser.get(LIST).status_code == 403
    assert app.test_client().get(LIST).status_code == 303
