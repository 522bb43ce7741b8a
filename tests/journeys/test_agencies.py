"""The authority registers an agency, moves it, appoints its head and imports a file; an official reads the tree."""

from collections.abc import Callable

from playwright.sync_api import Page, expect
from walking import Installation, as_official

FILE = "código;nombre;tipo;depende de;norma\r\nAE061;Dirección de Aguas;servicio;AE060;Ley 2\r\n"


def test_an_agency_from_its_registration_to_its_history(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit()
    as_official(page, installation, "55.555.555-5", "AE001")
    page.goto(f"{installation.base_url}/authority/agencies/new")
    page.fill("#code", "AE060")
    page.fill("#name", "Ministerio de Obras Imaginarias")
    page.select_option("#kind", "ministry")
    page.click("main form.form button[type=submit]")
    expect(page.locator("h1")).to_have_text("Ministerio de Obras Imaginarias")
    page.fill("#run", "88.888.888-8")
    page.select_option("#function", "head")
    page.click("#appoint button[type=submit]")
    expect(page.locator("#norm-error")).to_be_visible()
    page.fill("#norm", "Decreto 1 de 2026")
    page.click("#appoint button[type=submit]")
    expect(page.locator("main")).to_contain_text("Jefatura de servicio")
    expect(page.locator("main")).to_contain_text("Decreto 1 de 2026")
    page.goto(f"{installation.base_url}/authority/agencies/AE060/change")
    page.select_option("#parent", "AE005")
    page.fill("#norm", "Ley 3")
    page.click("main form.form button[type=submit]")
    expect(page.locator("main")).to_contain_text("Depende de: Ministerio de Gobierno y Territorio")
    page.goto(f"{installation.base_url}/authority/agencies/import")
    page.set_input_files("#file", {"name": "estado.csv", "mimeType": "text/csv", "buffer": FILE.encode("cp1252")})
    page.click("main form.form button[type=submit]")
    expect(page.locator("main")).to_contain_text("Dirección de Aguas")
    page.click("button[name=apply]")
    expect(page.locator(".agency-tree").first).to_contain_text("Dirección de Aguas")
    reader = visit(width=390)
    as_official(reader, installation, "99.999.999-9", "AE003")
    reader.goto(f"{installation.base_url}/agencies?q=aguas")
    reader.get_by_text("Dirección de Aguas").click()
    expect(reader.locator("main")).to_contain_text("Ministerio de Obras Imaginarias")
    expect(reader.locator("main form")).to_have_count(0)
