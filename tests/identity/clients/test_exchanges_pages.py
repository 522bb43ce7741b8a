"""Calls on behalf of people: the agency of the caller asks, the other one decides, either ends it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from builders.clients import a_client, a_system, answer_of, authorize, basic, tokens_for
from builders.following import follow_up
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient, revoke_client
from identity.clients.token_exchange_policies.queries import allowed_scopes
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

PURPOSE = "Para consultar los datos de quien hace el trámite."


@dataclass
class Scene:
    """AE001 has an application, AE002 a service; each an administrator with a browser, and so have two others."""

    app: Flask
    portal: NewClient
    register: NewClient
    actor: FlaskClient
    target: FlaskClient
    stranger: FlaskClient
    authority: FlaskClient

    @property
    def pair(self) -> tuple[str, str]:
        return self.portal.client.client_id, self.register.client.client_id

    def ask(self, **changed: Any) -> TestResponse:
        actor, target = self.pair
        form = {"actor": actor, "target": target, "scopes": ["run", "name"], "purpose": PURPOSE, **changed}
        return self.actor.post("/agency/exchanges/new", data=form)

    def asked(self) -> str:
        answer = self.ask()
        assert answer.status_code == 303, answer.text
        return answer.location

    def allowed(self) -> frozenset[str] | None:
        with self.app.app_context():
            return allowed_scopes(*self.pair)


@pytest.fixture
def scene(app: Flask) -> Scene:
    browsers = {}
    with app.app_context():
        for code, is_authority in (("AE001", False), ("AE002", False), ("AE003", False), ("AE900", True)):
            agency = an_agency(code, f"Servicio {code}", is_authority=is_authority)
            browsers[code] = (app.test_client(), an_official(agency))
        portal = a_client("standard", name="Portal de trámites", owner="agency:AE001", environment="sandbox")
        register = a_system("AE002", environment="sandbox")
    for code, (browser, official) in browsers.items():
        sign_in_for(browser, official, code)
    return Scene(app, portal, register, *(browser for browser, _ in browsers.values()))


def take(browser: FlaskClient, page: str, step: str, reasons: str = "") -> TestResponse:
    return browser.post(page, data={"step": step, "reasons": reasons})


def test_the_agency_that_is_called_allows_and_only_then_does_it_count(scene: Scene) -> None:
    page = scene.asked()
    assert scene.allowed() is None
    assert 'value="allow"' not in scene.actor.get(page).text
    seen = scene.target.get(page).text
    assert PURPOSE in seen
    assert 'value="allow"' in seen
    assert take(scene.target, page, "allow").status_code == 303
    assert scene.allowed() == frozenset({"run", "name"})
    with scene.app.app_context():
        events = session().scalars(select(AuditEvent).where(AuditEvent.tag.like("identity:exchange:%")))
        assert [(event.tag, event.agency) for event in events] == [
            ("identity:exchange:asked", "AE001"),
            ("identity:exchange:allowed", "AE002"),
        ]


def test_the_administrators_of_the_other_agency_are_told(scene: Scene) -> None:
    scene.asked()
    with scene.app.app_context():
        follow_up()
        told = (
            session()
            .execute(text("SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'"))
            .scalars()
        )
        assert any("Portal de trámites" in one["text"] for one in told)


def test_who_asks_cannot_decide(scene: Scene) -> None:
    page = scene.asked()
    for step in ("allow", "refuse"):
        assert take(scene.actor, page, step, "x").status_code == 409
    assert scene.allowed() is None


def test_others_do_not_learn_that_it_is_there(scene: Scene, client: FlaskClient) -> None:
    page = scene.asked()
    assert scene.stranger.get(page).status_code == 404
    assert take(scene.stranger, page, "allow").status_code == 404
    assert scene.stranger.get(page[:-1] + ("0" if page[-1] != "0" else "1")).status_code == 404
    assert "Portal de trámites" not in scene.stranger.get("/agency/exchanges").text
    assert client.get(page).status_code in (303, 401)
    assert scene.allowed() is None


def test_who_is_no_administrator_gets_nowhere(scene: Scene, client: FlaskClient) -> None:
    page = scene.asked()
    with scene.app.app_context():
        publisher = an_official("AE002", "publisher")
    sign_in_for(client, publisher, "AE002")
    for path in (page, "/agency/exchanges", "/agency/exchanges/new", "/authority/exchanges"):
        assert client.get(path).status_code == 403, path
    assert take(client, page, "allow").status_code == 403


def test_refusing_needs_reasons_which_the_other_reads(scene: Scene) -> None:
    page = scene.asked()
    assert take(scene.target, page, "refuse").status_code == 422
    assert take(scene.target, page, "refuse", "x" * 501).status_code == 422
    assert take(scene.target, page, "refuse", "No corresponde a la finalidad.").status_code == 303
    assert "No corresponde a la finalidad." in scene.actor.get(page).text
    assert take(scene.target, page, "allow").status_code == 409
    assert scene.allowed() is None


def test_either_ends_it_and_no_further_token_is_given(scene: Scene) -> None:
    for ending in (scene.actor, scene.target):
        page = scene.asked()
        take(scene.target, page, "allow")
        assert take(ending, page, "end").status_code == 303
        assert scene.allowed() is None
        assert take(ending, page, "end").status_code == 409


def test_a_request_is_taken_back_by_who_made_it(scene: Scene) -> None:
    page = scene.asked()
    assert take(scene.target, page, "end").status_code == 409
    assert take(scene.actor, page, "end").status_code == 303
    assert take(scene.target, page, "allow").status_code == 409


def test_a_new_decision_replaces_the_one_before(scene: Scene) -> None:
    take(scene.target, scene.asked(), "allow")
    page = scene.ask(scopes=["email"]).location
    assert scene.allowed() == frozenset({"run", "name"})
    take(scene.target, page, "allow")
    assert scene.allowed() == frozenset({"email"})


def test_the_same_is_not_asked_twice_at_once(scene: Scene) -> None:
    scene.asked()
    assert scene.ask().status_code == 422


def at_once(*calls: Callable[[], TestResponse]) -> list[int]:
    """The status of each call, all of them made at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(answer.result().status_code for answer in [pool.submit(call) for call in calls])


def test_two_who_ask_at_once_ask_once(scene: Scene) -> None:
    assert at_once(*[scene.ask] * 4) == [303, 422, 422, 422]


def test_two_who_decide_at_once_decide_once(scene: Scene) -> None:
    page = scene.asked()
    steps = [lambda: take(scene.target, page, "allow"), lambda: take(scene.target, page, "refuse", "No.")]
    assert at_once(*steps, *steps) == [303, 409, 409, 409]


def test_within_one_agency_nobody_else_has_to_be_asked(scene: Scene) -> None:
    with scene.app.app_context():
        own = a_system("AE001", environment="sandbox").client.client_id
    assert scene.ask(target=own).status_code == 303
    with scene.app.app_context():
        assert allowed_scopes(scene.portal.client.client_id, own) == frozenset({"run", "name"})


def test_what_is_wrong_is_told_at_its_field(scene: Scene) -> None:
    with scene.app.app_context():
        developers = a_client("standard", owner="developer:1", environment="sandbox").client.client_id
        in_use = a_system("AE002").client.client_id
        public = a_client("standard", auth_method="none", owner="agency:AE001", environment="sandbox")
        gone = a_system("AE002", environment="sandbox").client.client_id
        revoke_client(gone)
    wrong: list[dict[str, Any]] = [
        *({"target": target} for target in ("", "nobody", "\x00", developers, in_use, gone, scene.pair[0])),
        *({"actor": actor} for actor in ("", "nobody", scene.pair[1], public.client.client_id)),
        *({"scopes": scopes} for scopes in ([], ["openid"], ["offline_access"], ["run", "all"])),
        *({"purpose": purpose} for purpose in ("", "Porque sí.", "x" * 501, "con un \x00 adentro de la frase")),
    ]
    for change in wrong:
        assert scene.ask(**change).status_code == 422, change
    with scene.app.app_context():
        assert session().scalars(select(AuditEvent.tag).where(AuditEvent.tag == "identity:exchange:asked")).all() == []


def test_the_authority_sees_all_of_them(scene: Scene) -> None:
    take(scene.target, scene.asked(), "allow")
    seen = scene.authority.get("/authority/exchanges").text
    assert "Portal de trámites" in seen
    assert "Servicio AE002" in seen
    assert scene.actor.get("/authority/exchanges").status_code == 403


def test_a_sign_in_may_name_whom_its_token_leads_to(scene: Scene, client: FlaskClient) -> None:
    with scene.app.app_context():
        archive = a_system("AE003", environment="sandbox").client.client_id
        person = a_person(is_test_person=True)
    register = f"urn:cordillera:client:{scene.pair[1]}"
    sign_in(client, person)
    refused = answer_of(authorize(client, scene.portal, resource=register))
    assert refused["error"] == "invalid_target"
    take(scene.target, scene.asked(), "allow")
    scene.ask(target=archive)
    given = tokens_for(client, scene.portal, resource=register, scope="openid run name")

    def exchanged(target: str) -> dict[str, Any]:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": given["access_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": target,
        }
        headers = basic(scene.portal.client.client_id, scene.portal.secret)
        found: dict[str, Any] = client.post("/openid/token", data=form, headers=headers).get_json()
        return found

    assert exchanged(scene.pair[1])["scope"] == "name run"
    waiting = re.search(r"/agency/exchanges/[0-9a-f-]{36}", scene.stranger.get("/agency/exchanges").text)
    assert waiting
    take(scene.stranger, waiting[0], "allow")
    assert exchanged(archive)["error"] == "invalid_target"
