"""A citizen sets up a second step, and an application asks for it."""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import urlencode

from builders.second_factor import code_of
from playwright.sync_api import Page, expect
from walking import Installation, allow, assert_accessible, assert_no_grave_finding, sign_in

RUN, PASSWORD = "12.345.678-5", "tres palabras sueltas"
TWO = "urn:cordillera:acr:2"


def test_a_citizen_sets_up_a_second_step_and_signs_in_with_it(
    installation: Installation, visit: Callable[..., Page], without_scripts: Page
) -> None:
    installation.cli(
        "person", "create", "--run", RUN, "--given-names", "Rosa", "--family-names", "Soto", "--password", PASSWORD
    )
    page = visit(width=390)
    page.goto(f"{installation.base_url}/sign-in?next=/account")
    sign_in(page, RUN, PASSWORD)
    page.get_by_role("link", name="Configurarlo").click()
    assert_accessible(page)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Comenzar").click()
    expect(page.locator("h1")).to_have_text("Configurar el segundo paso")
    key = page.locator("figure.code code").inner_text()
    secret = base64.b32decode("".join(key.split()))
    page.fill("#code", "000000")
    page.get_by_role("button", name="Confirmar").click()
    expect(page.locator("main")).to_contain_text("Este no es el código de ahora")
    assert page.locator("figure.code code").inner_text() == key
    assert_accessible(page)
    page.fill("#code", code_of(secret))
    page.get_by_role("button", name="Confirmar").click()
    expect(page.locator("h1")).to_have_text("Sus códigos de recuperación")
    recovery_codes = page.locator("figure.code code").inner_text().splitlines()
    assert len(recovery_codes) == 10
    expect(page.locator("body")).to_contain_text("Rosa Soto")
    assert_no_grave_finding(page)
    page.get_by_role("link", name="Ya los guardé").click()
    expect(page.locator("main")).to_contain_text("Configurado")
    assert_accessible(page)

    # Elsewhere, without scripts.
    other = without_scripts
    other.goto(f"{installation.base_url}/sign-in?next=/account/second-step")
    sign_in(other, RUN, PASSWORD)
    expect(other.locator("#code")).to_be_visible()
    other.fill("#code", code_of(secret, 1))
    other.press("#code", "Enter")
    expect(other).to_have_url(f"{installation.base_url}/account/second-step")

    # Without the telephone it is removed with a code from the paper.
    other.get_by_role("link", name="Quitar el segundo paso").click()
    other.fill("#password", PASSWORD)
    other.fill("#code", recovery_codes[7].lower())
    other.get_by_role("button", name="Quitar").click()
    expect(other.locator("main")).to_contain_text("El segundo paso se quitó")


def test_an_application_asks_for_a_second_step(installation: Installation, visit: Callable[..., Page]) -> None:
    callback = f"{installation.site_url}/two-factors"
    made = json.loads(
        installation.cli(
            "client", "create", "--name", "Notaría", "--redirect-uri", callback, "--profile", "clave-unica", "--json"
        )
    )
    request = {
        "response_type": "code",
        "client_id": made["client_id"],
        "redirect_uri": callback,
        "scope": "openid",
        "state": "a-state-of-more-than-thirty-characters",
        "acr_values": TWO,
    }
    page = visit("en-GB", 390)
    page.goto(f"{installation.base_url}/openid/authorize?{urlencode(request)}")
    sign_in(page, "42.200.300-2")
    expect(page.locator("main")).to_contain_text("Notaría asks for a second step")
    assert_accessible(page)
    page.fill("#code", page.locator("#published-code").inner_text())
    page.press("#code", "Enter")
    allow(page)
    expect(page).to_have_url(re.compile(re.escape(callback) + r"\?.*code="))

    # Who has none decides.
    page = visit("en-GB", 390)
    page.goto(f"{installation.base_url}/openid/authorize?{urlencode(request)}")
    sign_in(page, "44.444.444-4")
    expect(page.locator("main")).to_contain_text("A second step is required")
    assert_accessible(page)
    page.get_by_role("link", name="Continue without it").click()
    allow(page)
    expect(page).to_have_url(re.compile(re.escape(callback) + r"\?.*code="))
