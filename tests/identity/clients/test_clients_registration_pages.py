"""Pages: what is registered of an application, how it leaves the sandbox, who decides it, which programs register."""

import json
import re
from typing import Any

import pytest
from builders.identity import a_person, an_agency, sign_in
from builders.keys import a_key, public
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.client_reviews.models import ClientReview
from identity.clients.registry.queries import applications_of, registered_client
from identity.clients.registry.rules import RegisteredClient
from identity.officials.actions import appoint
from kernel.base.parties import Party
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

FULL = {
    "name": "Trámites",
    "profile": "standard",
    "redirect_uris": "https://tramites.example.cl/entrada",
    "post_logout_redirect_uris": "https://tramites.example.cl/",
    "backchannel_logout_uri": "https://tramites.example.cl/salida",
    "contacts": "ana@example.cl\neva@example.cl",
    "scopes": ["run", "email"],
    "reason_run": "Para encontrar su expediente.",
    "reason_email": "Para avisarle.",
    "sector": "owner",
    "auth_method": "",
    "jwks": "",
    "jwks_uri": "",
}


def official_at(app: Flask, agency: str, role: str, *, is_authority: bool = False) -> FlaskClient:
    with app.app_context():
        an_agency(agency, f"Organismo {agency}", is_authority=is_authority)
        person = a_person()
        appoint(agency, f"{person.run_number}-{person.run_dv}", role)
    browser = app.test_client()
    sign_in(browser, person)
    browser.post("/agency", data={"agency": agency})
    return browser


@pytest.fixture
def administrator(app: Flask) -> FlaskClient:
    return official_at(app, "AE001", "administrator")


@pytest.fixture
def authority(app: Flask) -> FlaskClient:
    return official_at(app, "AE900", "administrator", is_authority=True)


@pytest.fixture
def application(app: Flask, administrator: FlaskClient) -> str:
    assert administrator.post("/agency/applications/new", data=FULL).status_code == 201
    with app.app_context():
        return applications_of(Party.agency("AE001"))[0].client_id


def now(app: Flask, client_id: str) -> RegisteredClient:
    with app.app_context():
        found = registered_client(client_id)
    assert found is not None
    return found


def test_what_is_wrong_is_told_at_its_field(administrator: FlaskClient) -> None:
    for wrong in (
        {"profile": "other"},
        {"profile": "fapi2", "auth_method": "client_secret_basic"},
        {"auth_method": "private_key_jwt", "jwks": "{"},
        {"auth_method": "private_key_jwt", "jwks": '{"keys": []}'},
        {"auth_method": "private_key_jwt", "jwks": json.dumps({"keys": [a_key().as_dict(private=True)]})},
        {"auth_method": "private_key_jwt", "jwks_uri": "https://127.0.0.1/"},
        {"contacts": "nobody"},
        {"sector": "everybody"},
        {"backchannel_logout_uri": "http://tramites.example.cl/"},
        {"scopes": ["everything"]},
    ):
        page = administrator.post("/agency/applications/new", data=FULL | wrong)
        assert page.status_code == 422, wrong
        assert f'id="{list(wrong)[-1]}-error"' in page.text, wrong


def test_everything_registered_is_shown_and_changed(app: Flask, administrator: FlaskClient, application: str) -> None:
    path = f"/agency/applications/{application}"
    shown = administrator.get(path).text
    for said in ("ana@example.cl", "Para avisarle.", "https://tramites.example.cl/entrada"):
        assert said in shown
    assert 'value="Para avisarle."' in administrator.get(f"{path}/edit").text
    key = a_key()
    strict: dict[str, Any] = FULL | {"profile": "fapi2", "auth_method": "", "jwks": json.dumps(public(key))}
    assert administrator.post(f"{path}/edit", data=strict).status_code == 303
    found = now(app, application)
    assert (found.profile, found.auth_method, found.secrets) == ("fapi2", "private_key_jwt", ())
    back = administrator.post(
        f"{path}/edit", data=FULL | {"profile": "clave-unica", "auth_method": "client_secret_post"}
    )
    assert back.status_code == 200  # a new secret is shown, this once
    assert "client_secret" in back.text


def test_the_sandbox_is_where_everybody_begins(app: Flask, application: str) -> None:
    found = now(app, application)
    assert (found.environment, found.is_for_test_persons) == ("sandbox", True)
    assert found.options == {"backchannel_logout_uri": "https://tramites.example.cl/salida"}


def test_who_is_not_ready_is_told_why(app: Flask, administrator: FlaskClient, application: str) -> None:
    path = f"/agency/applications/{application}"
    for change in (
        {"contacts": ""},
        {"reason_run": ""},
        {"redirect_uris": "http://localhost:5000/entrada"},
        {"post_logout_redirect_uris": "http://localhost:5000/"},
    ):
        assert administrator.post(f"{path}/edit", data=FULL | change).status_code == 303
        assert administrator.post(f"{path}/environment", data={"environment": "production"}).status_code == 422, change
    assert administrator.post(f"{path}/edit", data=FULL).status_code == 303
    assert administrator.post(f"{path}/environment", data={"environment": "sandbox"}).status_code == 422
    with app.app_context():
        assert not session().scalars(select(ClientReview)).all()


def seen(authority: FlaskClient, client_id: str) -> dict[str, str]:
    """The fingerprint in the page that was looked at."""
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', authority.get(f"/authority/applications/{client_id}").text)
    assert found
    return {"seen": found[1]}


def approve(authority: FlaskClient, client_id: str) -> int:
    path = f"/authority/applications/{client_id}/approve"
    return authority.post(path, data=seen(authority, client_id)).status_code


def test_the_authority_approves(
    app: Flask, administrator: FlaskClient, authority: FlaskClient, application: str
) -> None:
    path, decision = f"/agency/applications/{application}", f"/authority/applications/{application}"
    assert authority.post(f"{decision}/approve").status_code == 404
    assert administrator.get(f"{path}/environment").status_code == 200
    assert administrator.post(f"{path}/environment", data={"environment": "production"}).status_code == 303
    assert administrator.post(f"{path}/environment", data={"environment": "production"}).status_code == 422
    for place in ("/authority/applications", decision):
        assert administrator.get(place).status_code == 403
    assert administrator.post(f"{decision}/approve").status_code == 403
    assert "Trámites" in authority.get("/authority").text
    assert "Trámites" in authority.get("/authority/applications").text
    page = authority.get(decision).text
    assert "Para encontrar su expediente." in page
    assert "Organismo AE001" in page
    assert approve(authority, application) == 303
    found = now(app, application)
    assert found.environment == "production"
    assert found.secrets[0].ends_at is not None
    assert "María" in administrator.get(path).text  # who approved it
    with app.app_context():
        tags = set(session().scalars(select(AuditEvent.tag).where(AuditEvent.subject == f"client:{application}")))
    assert {"identity:client:environment-asked", "identity:client:environment-approved"} <= tags


def test_the_authority_gives_back(
    app: Flask, administrator: FlaskClient, authority: FlaskClient, application: str
) -> None:
    path, decision = f"/agency/applications/{application}", f"/authority/applications/{application}"
    administrator.post(f"{path}/environment", data={"environment": "certification"})
    assert authority.post(f"{decision}/return", data={"remark": "corto"}).status_code == 422
    assert authority.post(f"{decision}/return", data={"remark": "Falta decir para qué usa el RUN."}).status_code == 303
    assert "Falta decir para qué usa el RUN." in administrator.get(path).text
    assert administrator.post(f"{path}/environment", data={"environment": "certification"}).status_code == 303
    assert approve(authority, application) == 303
    found = now(app, application)
    assert (found.environment, found.is_for_test_persons) == ("certification", True)
    assert f"/authority/applications/{application}" not in authority.get("/authority").text


def test_another_agencys_application_is_not_there(app: Flask, application: str) -> None:
    other = official_at(app, "AE002", "administrator")
    path = f"/agency/applications/{application}/environment"
    assert other.get(path).status_code == 404
    assert other.post(path, data={"environment": "production"}).status_code == 404


def test_an_agencys_program_registers(app: Flask, administrator: FlaskClient) -> None:
    path = "/agency/registration-tokens"
    for wrong in ({"purpose": ""}, {"uses": "0"}, {"uses": "many"}, {"days": "400"}, {"environment": "moon"}):
        sound = {"purpose": "Una prueba", "environment": "sandbox", "uses": "1", "days": "30"}
        assert administrator.post(path, data=sound | wrong).status_code == 422, wrong
    page = administrator.post(path, data={"purpose": "Una prueba", "environment": "sandbox", "uses": "2", "days": "3"})
    assert page.status_code == 201
    token = re.findall(r">([A-Za-z0-9_-]{43})<", page.text)[0]
    assert token not in administrator.get(path).text
    metadata = {"redirect_uris": ["https://a.example.cl/"], "client_name": "De un programa"}
    headers = {"Authorization": f"Bearer {token}"}
    assert app.test_client().post("/openid/register", json=metadata, headers=headers).status_code == 201
    assert "De un programa" in administrator.get("/agency/applications").text
    revoke = re.findall(r'action="(/agency/registration-tokens/[^"]+/revoke)"', administrator.get(path).text)[0]
    other = official_at(app, "AE002", "administrator")
    assert other.post(revoke).status_code == 404
    assert administrator.post(revoke).status_code == 303
    assert app.test_client().post("/openid/register", json=metadata, headers=headers).status_code == 401
    assert official_at(app, "AE003", "publisher").get(path).status_code == 403
