"""Every page on the narrowest screens, by night and in the colours that a reader forces on it."""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from walking import Installation, as_official, assert_no_grave_finding, sign_in

NARROWEST = 320
"""WCAG 1.4.10: CSS pixels, which a screen of 1280 has at 400 %."""

FOR_EVERYBODY = [
    *(
        "/",
        "/about",
        "/help",
        "/sign-in",
        "/sign-in?next=/device",
        "/problems/",
        "/problems/forbidden",
        "/nothing-here",
    ),
    *("/catalogue", "/catalogue/SRV-000001", "/developers/", "/developers/api"),
    *("/sandbox", "/sandbox/personas/", "/sandbox/sign-up", "/sandbox/sign-in", "/outbox"),
]
OF_PEOPLE = [
    "/account",
    "/account/applications",
    "/account/second-step",
    "/account/password",
    "/device",
    "/agency",
    "/sign-out",
]
OF_OFFICIALS = [
    *(
        "/agency",
        "/agency/pending",
        "/agency/members",
        "/agency/services",
        "/agency/services/new",
        "/agency/agreements",
    ),
    *("/agency/communications", "/agency/communications?box=outbox", "/agency/communications/new", "/agency/keys"),
    *("/agency/systems", "/agency/systems/new", "/agency/applications", "/agency/applications/new"),
    *("/agency/webhooks", "/agency/webhooks/new", "/agency/webhooks/deliveries"),
    *("/agency/exchanges", "/agency/exchanges/new", "/agency/adoptions", "/agency/registration-tokens"),
    *("/agencies", "/agencies?on=2001-01-01", "/agencies/AE002"),
]
OF_THE_AUTHORITY = [
    *("/authority", "/authority/audit", "/authority/jobs", "/authority/agencies", "/authority/services"),
    *("/authority/applications", "/authority/exchanges", "/authority/agencies/AE002", "/authority/agencies/import"),
    *("/authority/agencies/new", "/authority/agencies/AE002/change", "/authority/agencies/AE002/validity"),
]


def assert_no_sideways_scroll(page: Page, base_url: str, paths: list[str]) -> None:
    wide = {}
    for path in paths:
        answer = page.goto(f"{base_url}{path}")
        assert answer is not None
        assert answer.status in (200, 403, 404), f"{path}: {answer.status}"
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > NARROWEST:
            wide[path] = width
    assert wide == {}


def test_no_page_scrolls_sideways_on_the_narrowest_screen(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    assert_no_sideways_scroll(visit(width=NARROWEST), installation.base_url, FOR_EVERYBODY)


def test_no_page_of_people_scrolls_sideways_on_the_narrowest_screen(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit(width=NARROWEST)
    page.goto(f"{installation.base_url}/sign-in")
    sign_in(page, "44.444.444-4")
    assert_no_sideways_scroll(page, installation.base_url, [*OF_PEOPLE, "/authority"])


def test_no_page_of_officials_scrolls_sideways_on_the_narrowest_screen(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit("en", width=NARROWEST)
    as_official(page, installation, "88.888.888-8", "AE002")
    assert_no_sideways_scroll(page, installation.base_url, OF_OFFICIALS)


def test_no_page_of_the_authority_scrolls_sideways_on_the_narrowest_screen(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit(width=NARROWEST)
    as_official(page, installation, "55.555.555-5", "AE001")
    assert_no_sideways_scroll(page, installation.base_url, OF_THE_AUTHORITY)


def test_on_a_phone_the_session_takes_one_line_and_its_links_are_in_the_menu(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit(width=390)
    as_official(page, installation, "88.888.888-8", "AE002")
    page.goto(installation.base_url)
    line = page.locator(".acting p")
    assert line.evaluate(
        "it => it.getClientRects().length && it.offsetHeight < 1.8 * parseFloat(getComputedStyle(it).lineHeight)"
    )
    assert page.locator(".acting").evaluate("it => it.offsetHeight") < 60
    expect(line).to_contain_text("AE002")
    page.click(".menu-button")
    page.click("#menu a[href='/account']")
    expect(page).to_have_url(f"{installation.base_url}/account")


def test_on_a_wide_screen_each_link_of_the_session_stands_once(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit()
    as_official(page, installation, "88.888.888-8", "AE002")
    page.goto(f"{installation.base_url}/catalogue")
    for label in ("Cambiar de organismo", "Su cuenta", "Cerrar sesión"):
        expect(page.get_by_text(label, exact=True).locator("visible=true")).to_have_count(1)


def test_no_word_of_a_table_or_a_title_is_cut_off_on_the_narrowest_screen(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit(width=NARROWEST)
    as_official(page, installation, "88.888.888-8", "AE002")
    for path in ("/agency", "/agency/services", "/agency/communications", "/agency/members", "/catalogue/SRV-000001"):
        page.goto(f"{installation.base_url}{path}")
        cut = page.locator("h1, .table-frame").evaluate_all(
            "all => all.filter(it => it.scrollWidth > it.clientWidth + 1).map(it => it.textContent)"
        )
        assert cut == [], path


@pytest.fixture
def forced_colours(chromium: Browser) -> Page:
    context = chromium.new_context(locale="es-CL", forced_colors="active", viewport={"width": 1280, "height": 900})
    return context.new_page()


def test_in_forced_colours_the_current_entry_alone_looks_current(
    installation: Installation, forced_colours: Page
) -> None:
    page = forced_colours
    page.goto(f"{installation.base_url}/catalogue")
    colours = page.locator("#menu > ul > li > a").evaluate_all(
        "all => all.map(it => [it.hasAttribute('aria-current'), getComputedStyle(it).borderBottomColor])"
    )
    current = {colour for is_current, colour in colours if is_current}
    others = {colour for is_current, colour in colours if not is_current}
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(current) == 1
    assert others == {ground}
    assert current != others
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_explorer_is_readable_translated_and_has_one_main_part(
    installation: Installation, visit: Callable[..., Page], scheme: Literal["light", "dark"]
) -> None:
    page = visit()
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{installation.base_url}/developers/api")
    page.locator(".opblock-post .opblock-summary-control").first.click()
    page.get_by_role("button", name="Probar").first.click()
    expect(page.get_by_role("button", name="Enviar").first).to_be_visible()
    expect(page.get_by_role("button", name="Poner un token").first).to_be_visible()
    expect(page.locator("main")).to_have_count(1)
    assert_no_grave_finding(page)
    dark = page.evaluate("getComputedStyle(document.querySelector('.opblock')).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("path", ["/", "/help", "/sign-in", "/catalogue", "/developers/", "/nothing-here"])
def test_by_night_a_page_is_as_readable_as_by_day(
    installation: Installation, visit: Callable[..., Page], path: str
) -> None:
    page = visit()
    page.emulate_media(color_scheme="dark")
    page.goto(f"{installation.base_url}{path}")
    assert_no_grave_finding(page)
