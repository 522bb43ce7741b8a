"""An agency's systems manage its subscriptions through the interface, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from builders.clients import a_client, a_system, machine_token
from builders.identity import an_agency
from builders.receiver import Answer, Receiver, a_receiver
from flask import Flask
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from identity.clients.registry.actions import revoke_client
from kernel.base.settings import Settings
from kernel.jobs.jobs import run_worker

PATH = "/api/v1/webhooks"
EVENT = "client.approved"
NOBODYS = "0190a0b0-0000-7000-8000-000000000009"


class Caller:
    """A system of an agency with its token."""

    def __init__(self, app: Flask, agency: str, *scopes: str) -> None:
        self.browser = app.test_client()
        with app.app_context():
            made = a_system(agency, scopes or ("webhooks.manage",))
        self.headers = {"Authorization": f"Bearer {machine_token(self.browser, made)}"}

    def __call__(self, method: str, path: str = "", body: object = None) -> TestResponse:
        return self.browser.open(f"{PATH}{path}", method=method, json=body, headers=self.headers)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def settings(settings: Settings, receiver: Receiver) -> Settings:
    return replace(settings, outbound_allowed=frozenset({receiver.address}))


@pytest.fixture
def agencies(app: Flask) -> None:
    with app.app_context():
        for code in ("AE001", "AE002"):
            an_agency(code, f"Organismo {code}")


@pytest.fixture
def ours(app: Flask, agencies: None) -> Caller:
    return Caller(app, "AE001")


@pytest.fixture
def others(app: Flask, agencies: None) -> Caller:
    return Caller(app, "AE002")


def sound(receiver: Receiver, **changed: Any) -> dict[str, Any]:
    return {"name": "Convenios", "url": receiver.url(), "types": [EVENT], **changed}


def subscribed(caller: Caller, receiver: Receiver, **changed: Any) -> dict[str, Any]:
    answer = caller("POST", "", sound(receiver, **changed))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_subscription_lives_from_its_beginning_to_its_end(app: Flask, ours: Caller, receiver: Receiver) -> None:
    made = subscribed(ours, receiver)
    one = f"/{made['id']}"
    assert (made["state"], made["client_id"], made["types"]) == ("active", None, [EVENT])
    assert "secret" not in ours("GET", one).get_json()
    changed = ours("PUT", one, sound(receiver, name="Otro nombre")).get_json()
    assert changed["name"] == "Otro nombre"
    assert [each["id"] for each in ours("GET").get_json()["items"]] == [made["id"]]
    assert ours("POST", f"{one}/pause").get_json()["state"] == "paused"
    assert ours("POST", f"{one}/test").status_code == 409
    assert ours("POST", f"{one}/resume").get_json()["state"] == "active"
    sent = ours("POST", f"{one}/test").get_json()
    run_worker(app, until_empty=True)
    [arrival] = receiver.requests
    assert arrival.headers["webhook-id"] == sent["id"]
    assert Webhook(made["secret"]).verify(arrival.body, arrival.headers)["type"] == "test"
    [listed] = ours("GET", f"/deliveries?subscription={made['id']}&status=delivered").get_json()["items"]
    assert listed["id"] == sent["id"]
    shown = ours("GET", f"/deliveries/{sent['id']}").get_json()
    assert [each["status"] for each in shown["attempts"]] == [200]
    renewed = ours("POST", f"{one}/secret").get_json()
    assert renewed["secret"] != made["secret"]
    assert renewed["previous_until"]
    assert ours("DELETE", one).status_code == 204
    assert ours("GET", one).status_code == 404


def test_what_was_sent_is_sent_again(app: Flask, ours: Caller, receiver: Receiver) -> None:
    made = subscribed(ours, receiver)
    receiver.answers = [Answer(500)]
    sent = ours("POST", f"/{made['id']}/test").get_json()
    run_worker(app, until_empty=True)
    assert ours("POST", f"/deliveries/{sent['id']}/replay").get_json()["status"] == "pending"
    assert ours("POST", f"/deliveries/{sent['id']}/replay").status_code == 409
    run_worker(app, until_empty=True)
    since = {"since": "2026-01-01T00:00:00-03:00", "only_failed": False}
    assert ours("POST", f"/{made['id']}/replay", since).status_code == 202
    for _ in range(2):
        run_worker(app, until_empty=True)
    assert [one.headers["webhook-id"] for one in receiver.requests] == [sent["id"]] * 3


def test_a_subscription_of_an_application_ends_with_it(app: Flask, ours: Caller, receiver: Receiver) -> None:
    with app.app_context():
        client_id = str(a_client("standard", owner="agency:AE001").client.client_id)
    made = subscribed(ours, receiver, client_id=client_id)
    assert made["client_id"] == client_id
    assert ours("GET", f"/deliveries?client_id={client_id}").get_json()["items"] == []
    with app.app_context():
        revoke_client(client_id)
    assert ours("GET", f"/{made['id']}").status_code == 404


def test_another_agencys_subscriptions_and_deliveries_are_not_there(
    app: Flask, ours: Caller, others: Caller, receiver: Receiver
) -> None:
    made = subscribed(ours, receiver)
    sent = ours("POST", f"/{made['id']}/test").get_json()
    with app.app_context():
        client_id = str(a_client("standard", owner="agency:AE001").client.client_id)
    one = f"/{made['id']}"
    for method, path, body in (
        ("GET", one, None),
        ("PUT", one, sound(receiver)),
        ("DELETE", one, None),
        ("POST", f"{one}/secret", None),
        ("POST", f"{one}/pause", None),
        ("POST", f"{one}/resume", None),
        ("POST", f"{one}/test", None),
        ("POST", f"{one}/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", f"/deliveries/{sent['id']}", None),
        ("POST", f"/deliveries/{sent['id']}/replay", None),
        ("GET", f"/deliveries?subscription={made['id']}", None),
        ("GET", f"/deliveries?client_id={client_id}", None),
        ("POST", "", sound(receiver, client_id=client_id)),
        ("GET", f"/{NOBODYS}", None),
        ("GET", "/no-identifier", None),
    ):
        assert others(method, path, body).status_code == 404, (method, path)
    assert others("GET").get_json()["items"] == []
    assert others("GET", "/deliveries").get_json()["items"] == []
    assert ours("GET", one).get_json()["state"] == "active"


def test_what_is_wrong_is_told_at_its_field(ours: Caller, receiver: Receiver) -> None:
    for changed, field in (
        ({"url": "https://127.0.0.1/hook"}, "url"),
        ({"url": "http://hooks.example.cl/"}, "url"),
        ({"types": ["nothing.happened"]}, "types"),
        ({"types": []}, "types"),
        ({"name": ""}, "name"),
    ):
        answer = ours("POST", "", sound(receiver, **changed))
        assert (answer.status_code, set(answer.get_json()["errors"])) == (422, {field}), answer.text


def test_only_a_token_with_the_scope_may(app: Flask, agencies: None) -> None:
    stranger = Caller(app, "AE001", "applications.manage")
    assert stranger("GET").status_code == 403
    assert app.test_client().get(PATH).status_code == 401


def test_the_events_are_listed_with_examples(ours: Caller) -> None:
    found = {one["name"]: one for one in ours("GET", "/event-types").get_json()["items"]}
    assert found[EVENT]["of_clients"]
    assert all(one["example"] and one["title"] and one["description"] for one in found.values())
