"""Forms of every block that are sent twice, as by a second click, a reload, or a retry after a lost answer."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from builders.catalogue import an_openapi_document
from builders.forms import hidden_inputs, opened, send_form
from builders.identity import a_person, an_agency, an_official, sign_in_for
from builders.interoperability import a_key, a_pdf, proof_of
from builders.sandbox import APPLICATION, a_developer
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from kernel.database.db import session
from kernel.recording.audit import AuditEvent

SENT_BEFORE = "no se hizo nada por segunda vez"
SECRET_SHOWN = "Su secreto se mostró una vez"
SERVICE = {
    "name": "Permisos de circulación",
    "description": "Dice si un vehículo tiene su permiso de circulación al día.",
    "kind": "data",
    "obligation": "optional",
    "contact": "permisos@example.cl",
    "version": "v1",
    "base_url": "",
}
LETTER = {
    "addressee": "AE002",
    "authority_name": "María Pérez",
    "authority_post": "Directora",
    "type": "letter",
    "classification": "public",
    "reference": "Solicita antecedentes",
}


@pytest.fixture
def official(app: Flask) -> FlaskClient:
    """A browser in which somebody acts for an agency who may do everything there, and is of the authority."""
    with app.app_context():
        an_agency("AE001", "Secretaría de Pruebas", is_authority=True)
        an_agency("AE002", "Otro Servicio")
        person = an_official("AE001", "administrator", "publisher", "correspondent")
    client = app.test_client()
    sign_in_for(client, person, "AE001")
    return client


def records(app: Flask) -> int:
    with app.app_context():
        return session().scalar(select(func.count()).select_from(AuditEvent)) or 0


def send_twice(client: FlaskClient, page: str, address: str = "", **written: Any) -> tuple[TestResponse, TestResponse]:
    """Both answers. The second sending must have changed nothing."""
    form = opened(client, page, address)
    answers = []
    for _ in range(2):
        before = records(client.application)
        data = {name: value() if callable(value) else value for name, value in written.items()}
        answers.append((send_form(client, address or page, form, **data), records(client.application) - before))
    (first, made), (second, more) = answers
    assert first.status_code in (200, 201, 303), first.text
    assert made > 0
    assert more == 0
    assert second.status_code == 303
    return first, second


def test_an_officials_forms_have_one_effect(official: FlaskClient) -> None:
    first, second = send_twice(official, "/agency/services/new", **SERVICE)
    assert second.location == first.location
    assert SENT_BEFORE in official.get(str(second.location)).text
    first, second = send_twice(official, "/authority/agencies/new", code="AE003", name="Tercer Servicio")
    assert second.location == first.location == "/authority/agencies/AE003"


def test_a_letter_sent_twice_is_one(official: FlaskClient) -> None:
    new = "/agency/communications/new"
    document = (io.BytesIO(a_pdf()), "oficio.pdf", "application/pdf")
    review = send_form(official, new, opened(official, new), document=document, **LETTER)
    first, second = (official.post(new, data=hidden_inputs(review.text, new) | {"step": "send"}) for _ in range(2))
    assert second.location == first.location
    assert str(first.location).startswith("/agency/communications/COM-")
    assert official.get("/agency/communications?box=outbox").text.count("Solicita antecedentes") == 1


def test_a_member_named_twice_is_no_conflict(app: Flask, official: FlaskClient) -> None:
    with app.app_context():
        run = str(a_person().run)
    first, second = send_twice(official, "/agency/members", run=run, function="publisher")
    assert second.location == first.location == "/agency/members"


def test_a_key_registered_twice_is_no_conflict(official: FlaskClient) -> None:
    key = a_key()
    said = {"name": "Sistema de documentos", "public_key": json.dumps(key.as_dict(private=False))}
    first, second = send_twice(official, "/agency/keys", proof=proof_of(key, "AE001"), **said)
    assert second.location == first.location == "/agency/keys"


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("/agency/systems/new", {"name": "Mensajería", "scopes": "communications.send"}),
        ("/agency/applications/new", {"name": "Trámites", "redirect_uris": "https://tramites.example.cl/back"}),
        ("/agency/registration-tokens", {"purpose": "Despliegues", "environment": "sandbox", "uses": 1, "days": 30}),
    ],
)
def test_a_secret_is_shown_once_and_none_is_made_by_a_reload(
    official: FlaskClient, page: str, written: dict[str, Any]
) -> None:
    first, second = send_twice(official, page, **written)
    assert first.status_code == 201
    after = official.get(str(second.location))
    assert after.status_code == 200
    assert SECRET_SHOWN in after.text


def test_a_developers_application_and_its_new_secret_are_one(app: Flask) -> None:
    browser = app.test_client()
    a_developer(browser)
    _first, second = send_twice(browser, "/sandbox/applications/new", **APPLICATION)
    shown = browser.get(str(second.location))
    assert SECRET_SHOWN in shown.text
    assert browser.get("/sandbox/applications").text.count(f'href="{second.location}"') == 1
    _first, again = send_twice(browser, str(second.location), f"{second.location}/secret")
    assert again.location == second.location


def test_an_agreement_asked_for_twice_leads_to_the_one_that_was_asked_for(app: Flask, official: FlaskClient) -> None:
    document = lambda: (io.BytesIO(json.dumps(an_openapi_document()).encode()), "openapi.json")  # noqa: E731  # as above
    described: dict[str, Any] = {**SERVICE, "base_url": "https://api.example.cl/v1", "openapi": document}
    drafted, _again = send_twice(official, "/agency/services/new", **described)
    own = str(drafted.location)
    code = own.rpartition("/")[2]
    send_twice(official, own, f"{own}/versions/v1/submit")
    send_twice(official, f"/authority/services/{code}/v1", f"/authority/services/{code}/v1/approve")
    with app.app_context():
        consumer = an_official("AE002", "publisher")
    other = app.test_client()
    sign_in_for(other, consumer, "AE002")
    asked: dict[str, Any] = {
        "purpose": "Revisar permisos en terreno",
        "legal_basis": "Ley 18.290",
        "personal_data": "no",
    }
    page = f"/agency/agreements/new?service={code}&version=v1"
    first, second = send_twice(other, page, daily_calls=10, **asked)
    assert second.location == first.location
    assert SENT_BEFORE in other.get(str(second.location)).text
    address = str(first.location)
    send_twice(official, address, address, step="approve")
    _first, again = send_twice(other, address, f"{address}/credentials")
    assert SECRET_SHOWN in other.get(str(again.location)).text


def test_two_clicks_at_the_same_instant_make_one_application(app: Flask) -> None:
    browser = app.test_client()
    a_developer(browser)
    form = opened(browser, "/sandbox/applications/new")
    cookie = browser.get_cookie("cordillera_developer", path="/sandbox")
    assert cookie

    def click(window: FlaskClient) -> int:
        window.set_cookie("cordillera_developer", cookie.value, path="/sandbox")
        return send_form(window, "/sandbox/applications/new", form, **APPLICATION).status_code

    assert sorted(at_once(app, [click] * 4)) == [201, 303, 303, 303]


def test_browsers_that_do_not_say_where_they_come_from_have_the_same_protection(app: Flask) -> None:
    browser = app.test_client()
    a_developer(browser)
    del browser.environ_base["HTTP_SEC_FETCH_SITE"]
    _first, second = send_twice(browser, "/sandbox/applications/new", **APPLICATION)
    assert SECRET_SHOWN in browser.get(str(second.location)).text
