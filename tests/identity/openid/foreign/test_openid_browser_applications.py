"""npm's `oidc-client-ts`, unmodified, in a real Chromium: an application without a server signs people in."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders.browser import PersonWithBrowser
from builders.chromium import a_chromium
from builders.clients import a_client
from builders.foreign import NodeClients
from flask import Flask
from playwright.sync_api import Browser, Page
from walking import Installation, free_address

from identity.clients.registry.actions import NewClient

pytestmark = pytest.mark.xdist_group("foreign")  # they share one server, so one worker of the suite runs them

PAGE = Path(__file__).with_name("browser-application.html")
LIBRARY = "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"
SCOPE = "openid name email offline_access"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with a_chromium() as browser:
        yield browser


@contextmanager
def at(address: str, library: Path, settings: dict[str, Any]) -> Iterator[None]:
    """The application's page at an address, from where the browser gets all of it."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            kinds = {"/oidc-client-ts.min.js": ("text/javascript", library.read_bytes()),
                     "/settings": ("application/json", json.dumps(settings).encode())}  # fmt: skip
            kind, content = kinds.get(path, ("text/html", PAGE.read_bytes()))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test tells what it saw."""

    parts = urlsplit(address)
    assert parts.hostname
    server = ThreadingHTTPServer((parts.hostname, parts.port or 80), Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registered(app: Flask, address: str, **others: Any) -> NewClient:
    with app.app_context():
        return a_client(
            "standard",
            redirect_uris=[f"{address}/callback"],
            post_logout_redirect_uris=[f"{address}/left"],
            scopes=SCOPE.split(),
            auth_method="none",
            **others,
        )


def told(page: Page) -> dict[str, Any]:
    page.wait_for_function("document.title === 'done'", timeout=60_000)
    found: dict[str, Any] = json.loads(page.locator("body").inner_text())
    return found


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def signed_in(page: Page, address: str, person: PersonWithBrowser) -> dict[str, Any]:
    """The application's knowledge once the person has signed in and agreed."""
    page.goto(f"{address}/")
    page.locator("input[name=run]").fill(person.run)
    page.locator("input[name=password]").fill(person.password)
    page.locator("main form button[type=submit]").first.click()
    page.locator("button[name=decision][value=allow]").click()
    page.wait_for_url(f"{address}/callback**")
    return told(page)


def test_a_browser_application_signs_in_renews_reads_revokes_and_signs_out(
    app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser, page: Page
) -> None:
    address = free_address()
    made = registered(app, address)
    settings = {"issuer": f"{served.base_url}/openid", "client_id": made.client.client_id, "scope": SCOPE}
    with at(address, node.folder / LIBRARY, settings):
        found = signed_in(page, address, person)
        assert found.get("error") is None, found
        assert found["profile"]["name"] == "Ana Ñancupil", "userinfo was read from the page"
        assert found["renewed"], "the refresh token gave new ones"
        page.evaluate("users.revokeTokens(['refresh_token', 'access_token'])")
        # Nothing waits for what takes the page away.
        page.evaluate("() => { document.title = 'leaving'; setTimeout(() => users.signoutRedirect(), 0); }")
        page.wait_for_url(f"{address}/left**")
        assert told(page) == {"left": "alone", "user": None}


def test_the_same_page_from_another_origin_gets_nothing(
    app: Flask, served: Installation, node: NodeClients, person: PersonWithBrowser, page: Page
) -> None:
    ours, theirs = free_address(), free_address()
    made = registered(app, ours)
    settings = {"issuer": f"{served.base_url}/openid", "client_id": made.client.client_id, "scope": SCOPE}
    with at(theirs, node.folder / LIBRARY, settings):
        page.goto(f"{theirs}/left")
        told(page)
        asked = """async ([url, how]) => {
            try { return (await fetch(url, how)).status } catch (error) { return error.name }
        }"""
        form = {"method": "POST", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
        for path, how in (
            ("token", form | {"body": f"grant_type=authorization_code&client_id={made.client.client_id}"}),
            ("revoke", form | {"body": f"token=x&client_id={made.client.client_id}"}),
            ("userinfo", {"headers": {"Authorization": "Bearer x"}}),
        ):
            assert page.evaluate(asked, [f"{served.base_url}/openid/{path}", how]) == "TypeError", path
        assert page.evaluate(asked, [f"{served.base_url}/openid/jwks", {}]) == 200
    with at(ours, node.folder / LIBRARY, settings):
        page.goto(f"{ours}/left")
        told(page)
        assert page.evaluate(asked, [f"{served.base_url}/openid/userinfo", how]) == 401
