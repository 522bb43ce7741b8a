"""An agency publishes a shared service; another agrees on it and calls it."""

import json
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from walking import Installation, as_official, assert_accessible, send_form

from sandbox.demonstration.provider import BASE_PATH, openapi_document


@pytest.fixture
def openapi_file(installation: Installation, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(openapi_document(installation.provider_url)), encoding="utf-8")
    return path


def call(url: str, authorization: str, form: dict[str, str] | None = None) -> tuple[int, Any]:
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, data, {"Authorization": authorization})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def access_token(installation: Installation, client_id: str, secret: str) -> str:
    """The client credentials grant, as an agency's system asks."""
    basic = "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()
    status, token = call(f"{installation.base_url}/openid/token", basic, {"grant_type": "client_credentials"})
    assert status == 200, token
    return str(token["access_token"])


def publish(page: Page, installation: Installation, openapi_file: Path) -> str:
    """Describe the service, with mistakes on the way, and send it for approval; its code."""
    page.goto(f"{installation.base_url}/agency/services/new")
    assert_accessible(page)
    page.fill("#name", "Regiones y comunas para formularios")
    page.fill("#description", "Entrega las regiones y comunas con su código, para los formularios en línea.")
    page.select_option("#kind", "api")
    page.fill("#contact", "territorio@example.cl")
    page.fill("#base_url", "http://169.254.169.254/latest")
    openapi_file.with_name("broken.yaml").write_text("openapi: 3.1.0\ninfo: [", encoding="utf-8")
    page.set_input_files("#openapi", str(openapi_file.with_name("broken.yaml")))
    send_form(page)
    expect(page.locator(".error-summary, [role=alert]").first).to_be_visible()
    expect(page.locator("#name")).to_have_value("Regiones y comunas para formularios")

    page.fill("#base_url", installation.provider_url + BASE_PATH)
    page.set_input_files("#openapi", str(openapi_file))
    send_form(page)
    expect(page.locator("main")).to_contain_text("/regions")
    assert_accessible(page)
    page.click("main form[action$='/submit'] button")
    return page.url.split("/agency/services/")[1].split("?")[0].split("#")[0]


def approve(page: Page, installation: Installation, code: str) -> None:
    """First returned with reasons, then approved."""
    page.goto(f"{installation.base_url}/authority")
    assert_accessible(page)
    page.click("main a:has-text('Regiones y comunas')")
    assert_accessible(page)
    page.click("#decision form[action$='/approve'] button")
    page.goto(f"{installation.base_url}/authority/audit?tag=catalogue:service")
    expect(page.locator("main")).to_contain_text(code)
    assert_accessible(page)


def test_a_service_is_published_agreed_on_and_called(
    installation: Installation, visit: Callable[..., Page], openapi_file: Path
) -> None:
    owner, authority, consumer = visit(), visit(), visit()
    as_official(owner, installation, "88.888.888-8", "AE002")
    code = publish(owner, installation, openapi_file)
    as_official(authority, installation, "55.555.555-5", "AE001")
    approve(authority, installation, code)

    as_official(consumer, installation, "99.999.999-9", "AE003")
    consumer.goto(f"{installation.base_url}/catalogue?q=comuna+formulario")
    assert_accessible(consumer)
    consumer.click("main a:has-text('Regiones y comunas')")
    assert_accessible(consumer)
    consumer.click("main a[href*='/agency/agreements/new']")
    assert_accessible(consumer)
    consumer.fill("#purpose", "Permiso de circulación en línea")
    consumer.fill("#legal_basis", "Ley 18.695, art. 5")
    consumer.check("input[name=personal_data][value=no]")
    consumer.fill("#daily_calls", "200")
    send_form(consumer)
    agreement = consumer.url.rsplit("/", 1)[1].split("?")[0]
    assert_accessible(consumer)

    owner.goto(f"{installation.base_url}/agency")
    owner.click("#tasks a[href='/agency/pending']")
    assert_accessible(owner)
    owner.click(f"main a[href*='{agreement}']")
    owner.click("form:has(input[name=step][value=approve]) button")
    expect(owner.locator("main")).to_contain_text("vigente", ignore_case=True)

    consumer.reload()
    consumer.click("form[action$='/credentials'] button")
    client_id, secret = (
        consumer.locator("main pre").nth(0).inner_text(),
        consumer.locator("main pre").nth(1).inner_text(),
    )
    token = "Bearer " + access_token(installation, client_id.strip(), secret.strip())
    gateway = f"{installation.base_url}/gateway/{code}/v1"
    status, regions = call(f"{gateway}/regions", token)
    assert status == 200
    assert {"13"} <= {region["code"] for region in regions["items"]}
    assert call(f"{gateway}/regions/99", token)[0] == 404
    assert call(f"{installation.base_url}/gateway/SRV-000001/v1/regions", token)[0] == 403

    for page in (owner, consumer):
        page.goto(f"{installation.base_url}/agency/agreements/{agreement}/usage")
        expect(page.locator("main")).to_contain_text("2")
        assert_accessible(page)

    owner.goto(f"{installation.base_url}/agency/agreements/{agreement}/suspend")
    owner.fill("#reasons", "Mantención")
    owner.click("form:has(#reasons) button[type=submit]")
    assert call(f"{gateway}/regions", token)[0] == 403


def test_another_agency_sees_no_agreement_of_theirs(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit()
    as_official(page, installation, "55.555.555-5", "AE004")
    answer = page.goto(f"{installation.base_url}/agency/agreements/ACU-2026-000001")
    assert answer is not None
    assert answer.status == 404
