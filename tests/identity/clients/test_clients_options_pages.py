"""Pages: the boxes for devices without a browser and for applications that cannot send PKCE yet, and who decides."""

import re
from typing import Any

import pytest
from builders.clients import a_client, a_client_in_use
from builders.identity import an_agency, an_official, sign_in_for
from builders.keys import a_key, public
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.registry.queries import any_client, registered_client
from identity.clients.registry.rules import DEVICE_CODE
from kernel.base.errors import Invalid
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

BOXES = ("device_flow", "pkce_optional")
APPLICATION: dict[str, Any] = {
    "name": "Trámites",
    "profile": "standard",
    "redirect_uris": "https://tramites.example.cl/entrada",
    "contacts": "ana@example.cl",
    "scopes": ["run"],
    "reason_run": "Para encontrar su expediente.",
    "sector": "owner",
}
NEW = "/agency/applications/new"
WRITTEN_IN_SPANISH = "Manual de integración de ClaveÚnica"


def official_of(app: Flask, code: str, *, is_authority: bool = False) -> FlaskClient:
    with app.app_context():
        an_agency(code, f"Organismo {code}", is_authority=is_authority)
        official = an_official(code, "administrator")
    browser = app.test_client()
    sign_in_for(browser, official, code)
    return browser


@pytest.fixture
def administrator(app: Flask) -> FlaskClient:
    return official_of(app, "AE001")


@pytest.fixture
def authority(app: Flask) -> FlaskClient:
    return official_of(app, "AE900", is_authority=True)


def an_application(administrator: FlaskClient, **boxes: str) -> str:
    page = administrator.post(NEW, data=APPLICATION | boxes)
    assert page.status_code == 201, page.text
    found = re.search(r"<code>([0-9a-f]{32})</code>", page.text)
    assert found
    return found[1]


def in_use(app: Flask, **options: Any) -> str:
    """An application of AE001 in production."""
    with app.app_context():
        return a_client_in_use(APPLICATION["redirect_uris"], options=options).client.client_id


def options_of(app: Flask, client_id: str) -> dict[str, Any]:
    with app.app_context():
        return any_client(client_id).options


def changes_of(app: Flask, client_id: str, tag: str) -> list[tuple[Any, Any]]:
    """The options before and after, as the audit tells them."""
    with app.app_context():
        query = select(AuditEvent.detail).where(AuditEvent.tag == tag, AuditEvent.subject == f"client:{client_id}")
        return [(one["before"]["options"], one["after"]["options"]) for one in session().scalars(query)]


def is_ticked(page: str, box: str) -> bool:
    found = re.search(rf'<input[^>]* id="{box}"[^>]*>', page)
    assert found, box
    return " checked" in found[0]


@pytest.mark.parametrize("box", BOXES)
def test_a_box_is_ticked_at_registration_and_unticked_later(app: Flask, administrator: FlaskClient, box: str) -> None:
    assert not is_ticked(administrator.get(NEW).text, box)
    client_id = an_application(administrator, **{box: "y"})
    place = f"/agency/applications/{client_id}"
    assert options_of(app, client_id) == {box: True}
    assert is_ticked(administrator.get(f"{place}/edit").text, box)
    assert administrator.post(f"{place}/edit", data=APPLICATION).status_code == 303
    assert options_of(app, client_id) == {}
    assert not is_ticked(administrator.get(f"{place}/edit").text, box)
    assert changes_of(app, client_id, "identity:client:updated") == [({box: True}, {})]


def test_the_page_of_an_application_tells_both(app: Flask, administrator: FlaskClient) -> None:
    place = f"/agency/applications/{an_application(administrator)}"
    assert "PKCE" not in administrator.get(place).text
    assert administrator.post(f"{place}/edit", data=APPLICATION | dict.fromkeys(BOXES, "y")).status_code == 303
    told = re.sub(r"<[^>]+>|\s+", " ", administrator.get(place).text)
    assert re.search(r"Dispositivos sin navegador +Sí", told)
    assert re.search(r"Inicia sesión sin PKCE +Sí", told)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("profile", ["clave-unica", "fapi2"])
def test_a_profile_that_forbids_it_says_so_at_the_box(administrator: FlaskClient, profile: str, box: str) -> None:
    key = {"auth_method": "private_key_jwt", "jwks": str(public(a_key())).replace("'", '"')}
    page = administrator.post(
        NEW, data=APPLICATION | {box: "y", "profile": profile} | (key if profile == "fapi2" else {})
    )
    assert page.status_code == 422
    assert f'id="{box}-error"' in page.text
    assert (f"{WRITTEN_IN_SPANISH}: este perfil" in page.text) is (profile == "clave-unica")


def test_who_has_no_credentials_may_have_devices_and_has_to_send_pkce(app: Flask, administrator: FlaskClient) -> None:
    public_one = {"auth_method": "none"}
    page = administrator.post(NEW, data=APPLICATION | public_one | {"pkce_optional": "y"})
    assert page.status_code == 422
    assert 'id="pkce_optional-error"' in page.text
    assert "RFC 9700 2.1.1" in page.text
    client_id = an_application(administrator, pkce_optional="y")
    place = f"/agency/applications/{client_id}/edit"
    assert administrator.post(place, data=APPLICATION | public_one | {"pkce_optional": "y"}).status_code == 422
    assert administrator.post(place, data=APPLICATION | public_one | {"device_flow": "y"}).status_code == 303
    with app.app_context():
        found = registered_client(client_id)
        assert found is not None
        assert DEVICE_CODE in found.grant_types
        with pytest.raises(Invalid):
            a_client("standard", auth_method="none", options={"pkce_optional": True})


def test_nobody_registers_openly_without_credentials_and_without_pkce(client: FlaskClient) -> None:
    asked = {"redirect_uris": ["https://a.example.cl/"], "client_name": "Abierta", "pkce_optional": True}
    assert client.post("/openid/register", json=asked).status_code == 201
    refused = client.post("/openid/register", json=asked | {"token_endpoint_auth_method": "none"})
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_client_metadata")
    assert refused.get_json()["error_description"].startswith("pkce_optional: RFC 9700 2.1.1")


@pytest.mark.parametrize(
    ("box", "words"),
    [("device_flow", "Dispositivos sin navegador: Sí"), ("pkce_optional", "Inicia sesión sin PKCE: Sí")],
)
def test_of_what_is_in_use_the_authority_decides_it(
    app: Flask, administrator: FlaskClient, authority: FlaskClient, box: str, words: str
) -> None:
    client_id = in_use(app)
    place, decision = f"/agency/applications/{client_id}", f"/authority/applications/{client_id}"
    assert administrator.post(f"{place}/edit", data=APPLICATION | {box: "y"}).status_code == 303
    assert options_of(app, client_id) == {}
    page = authority.get(decision).text
    assert words in page
    assert words in administrator.get(place).text
    assert ("quien intercepte un código" in page) is (box == "pkce_optional")
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert seen
    assert authority.post(f"{decision}/approve", data={"seen": seen[1]}).status_code == 303
    assert options_of(app, client_id) == {box: True}
    for tag in ("identity:client:change-asked", "identity:client:updated"):
        assert changes_of(app, client_id, tag) == [({}, {box: True})]


@pytest.mark.parametrize("box", BOXES)
def test_taking_it_away_is_the_owners(app: Flask, administrator: FlaskClient, box: str) -> None:
    client_id = in_use(app, **{box: True})
    assert administrator.post(f"/agency/applications/{client_id}/edit", data=APPLICATION).status_code == 303
    assert options_of(app, client_id) == {}


def test_other_options_stay_as_they_are(app: Flask, administrator: FlaskClient) -> None:
    client_id = in_use(app, default_max_age=77, pkce_optional=True)
    boxes = {"pkce_optional": "y"}
    assert administrator.post(f"/agency/applications/{client_id}/edit", data=APPLICATION | boxes).status_code == 303
    assert options_of(app, client_id) == {"default_max_age": 77, "pkce_optional": True}
