"""A citizen signs in to an agency's service."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from walking import Installation, allow, assert_accessible, assert_no_grave_finding, sign_in


def test_a_citizen_signs_in_to_an_agency_and_leaves(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit(width=390)
    page.goto(installation.site_url)
    page.click("#sign-in")
    expect(page).to_have_url(re.compile(re.escape(f"{installation.base_url}/openid/authorize")))
    expect(page.locator("main")).to_contain_text("Municipalidad de Los Andes del Sur")
    assert_accessible(page)

    sign_in(page, "44.444.444-4", "not the password")
    expect(page.locator("#password")).to_be_visible()
    sign_in(page, "44444444-5")
    expect(page.locator("main")).to_contain_text("dígito")
    assert_accessible(page)

    sign_in(page, "44.444.444-4")
    expect(page.locator("button[name=decision][value=allow]")).to_be_visible()
    assert_accessible(page)
    allow(page)
    expect(page).to_have_url(f"{installation.site_url}/")
    expect(page.locator("#run")).to_have_text("44.444.444-4")
    assert_no_grave_finding(page)

    page.goto(f"{installation.base_url}/account/applications")
    expect(page.locator("main")).to_contain_text("Municipalidad de Los Andes del Sur")
    assert_accessible(page)
    page.goto(f"{installation.base_url}/account")
    assert_accessible(page)

    page.goto(installation.site_url)
    page.click("#sign-out")
    page.goto(installation.site_url)
    expect(page.locator("#sign-in")).to_be_visible()


def test_a_citizen_may_refuse(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit("en-GB")
    page.goto(f"{installation.site_url}/sign-in")
    sign_in(page, "45.100.204-K")
    page.click("button[name=decision][value=deny]")
    expect(page).to_have_url(re.compile(re.escape(installation.site_url)))
    expect(page.locator("#run")).to_have_count(0)


def test_signing_in_works_without_javascript(installation: Installation, without_scripts: Page) -> None:
    page = without_scripts
    page.goto(f"{installation.site_url}/sign-in")
    sign_in(page, "88.888.888-8")
    allow(page)
    expect(page.locator("#run")).to_have_text("88.888.888-8")


def test_the_first_pages_are_for_everyone(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit()
    for path in ("/", "/about", "/catalogue", "/sandbox", "/sandbox/personas", "/developers", "/problems/", "/nowhere"):
        page.goto(installation.base_url + path)
        assert_accessible(page)
