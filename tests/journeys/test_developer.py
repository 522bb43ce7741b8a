"""A developer gets credentials in the sandbox and signs in from the program that the README shows."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect
from walking import ROOT, Installation, allow, assert_accessible, free_address, sign_in, wait_until_ready


def readme_program(installation: Installation) -> str:
    """The Python of the README, with this house's address in place of the usual one."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1).replace("http://localhost:8000", installation.base_url)


def open_letter(page: Page, installation: Installation, email: str) -> None:
    """Find the letter in the outbox; it comes when the worker has sent it."""
    until = time.monotonic() + 30
    while True:
        page.goto(f"{installation.base_url}/outbox")
        letter = page.locator("tr", has_text=email)
        if letter.count():
            break
        assert time.monotonic() < until, "the letter never came"
        time.sleep(0.5)
    assert_accessible(page)
    letter.locator("a").first.click()
    page.locator(".letter a").first.click()


def test_from_an_e_mail_to_a_working_login(
    installation: Installation, visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit()
    page.goto(f"{installation.base_url}/sandbox/sign-up")
    assert_accessible(page)
    page.fill("#email", "dev@example.cl")
    page.click("main form button[type=submit]")
    assert_accessible(page)
    open_letter(page, installation, "dev@example.cl")
    assert_accessible(page)
    page.click("main form button[type=submit]")

    site = free_address()
    page.goto(f"{installation.base_url}/sandbox/applications/new")
    assert_accessible(page)
    page.fill("#name", "My first application")
    page.fill("#redirect_uris", f"{site}/callback")
    page.click("main form button[type=submit]")
    expect(page.locator("main")).to_contain_text("My first application")
    secret = page.locator("main pre").first.inner_text().strip()
    client_id = re.search(r"[0-9a-f]{32}", page.inner_text("#settings") or page.inner_text("main"))
    assert client_id
    assert_accessible(page)

    (tmp_path / "hello.py").write_text(readme_program(installation), encoding="utf-8")
    program = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "hello.py", "run", "--port", site.rsplit(":", 1)[1]],
        cwd=tmp_path,
        env=os.environ | {"CLIENT_ID": client_id.group(0), "CLIENT_SECRET": secret, "FLASK_RUN_HOST": "localhost"},
    )
    try:
        wait_until_ready(f"{site}/static/none", status=404)
        page.goto(site)
        sign_in(page, "44.444.444-4")
        allow(page)
        expect(page.locator("body")).to_contain_text('"numero":44444444')
    finally:
        program.terminate()
        program.wait()


def enter_sandbox(page: Page, installation: Installation, email: str) -> None:
    page.goto(f"{installation.base_url}/sandbox/sign-up")
    page.fill("#email", email)
    page.click("main form button[type=submit]")
    open_letter(page, installation, email)
    page.click("main form button[type=submit]")


def test_a_double_click_and_a_reload_make_one_application(
    installation: Installation, visit: Callable[..., Page]
) -> None:
    page = visit()
    enter_sandbox(page, installation, "twice@example.cl")
    page.goto(f"{installation.base_url}/sandbox/applications/new")
    page.fill("#name", "Made once")
    page.dblclick("main form button[type=submit]")
    expect(page.locator("main pre").first).to_have_text(re.compile(r"[\w-]{43}"))
    page.reload()
    expect(page.locator("main")).to_contain_text("Su secreto se mostró una vez")
    assert_accessible(page)
    page.goto(f"{installation.base_url}/sandbox/applications")
    expect(page.get_by_text("Made once")).to_have_count(1)


def test_the_interface_can_be_explored(installation: Installation, visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto(f"{installation.base_url}/developers/api")
    expect(page.locator(".opblock").first).to_be_visible()
