"""Every address of the site, asked by an official who may do everything, with every field mangled: nothing breaks.

The provider's own endpoints are mangled more thoroughly in tests/identity/openid/test_mangled_matrix.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from builders import mangled
from builders.clients import a_client
from builders.identity import an_agency, an_official, sign_in_for
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

ELSEWHERE = ("openid.", "signin.", "static", "kernel.static")
QUERIES = (
    *("q", "cursor", "page", "limit", "kind", "agency", "status", "from", "to", "since", "until", "tag", "actor"),
    *("sort", "month", "next", "code", "environment", "state", "ui_locales", "service", "version"),
)
FIELDS = (
    *("name", "description", "run", "email", "contact", "client_id", "redirect_uris", "post_logout_redirect_uris"),
    *("scopes", "reason", "jwks", "jwks_uri", "code", "agency", "role", "decision", "remark", "profile", "auth_method"),
    *("environment", "until", "title", "subject", "body", "password", "new_password", "sector", "kind", "version"),
    *("openapi", "purpose", "service", "person", "next", "language", "scheme", "token", "uri", "identifier"),
)
SHORT = [b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"-1", b"9" * 400, b"2026-13-45"]
LONG = [b"x" * 5_000, mangled.DEEP]
BODIES = [body for body in mangled.BODIES if len(body[1]) < 100_000][::3]


@dataclass
class Official:
    """Somebody with every role, whom nothing signs out."""

    app: Flask
    browser: FlaskClient
    cookie: str

    def ask(self, method: str, path: str, query: bytes = b"", kind: str = "", body: bytes = b"") -> None:
        self.browser.set_cookie("cordillera_session", self.cookie)
        answer = self.browser.open(
            path,
            method=method,
            data=body,
            content_type=kind or None,
            environ_overrides={"QUERY_STRING": query.decode("latin-1")},
        )
        about = (method, path, query[:60], kind, body[:60])
        assert answer.status_code < 500, about
        place = answer.headers.get("Location", "/").removeprefix("http://localhost")
        assert place.startswith("/"), (place, about)
        assert not place.startswith(("//", "/\\")), (place, about)
        answer.close()


@pytest.fixture
def official(app: Flask, client: FlaskClient) -> Official:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.config["RATELIMIT_ENABLED"] = False
    with app.app_context():
        an_agency("AE001", is_authority=True)
        person = an_official("AE001", "administrator", "publisher", "correspondent")
        a_client("standard", owner="agency:AE001")
    sign_in_for(client, person, "AE001")
    cookie = client.get_cookie("cordillera_session")
    assert cookie
    return Official(app, client, cookie.value)


def rules(app: Flask, *methods: str) -> Iterator[tuple[Rule, str]]:
    for rule, method in product(sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule), methods):
        leaves = rule.rule.startswith(("/sign-out", "/sandbox/sign-out"))
        if method in (rule.methods or ()) and not rule.endpoint.startswith(ELSEWHERE) and not leaves:
            yield rule, method


def filled(rule: Rule, value: str) -> str:
    """The address with this value in each of its places."""
    return re.sub(r"<[^>]*>", value, rule.rule)


def test_every_address_mangled(official: Official) -> None:
    values = ("%00", "%FF", "%C3%B1", "x" * 2_000, "9" * 30, "00000000-0000-0000-0000-000000000000", "AE001", "'")
    for (rule, method), value in product(rules(official.app, "GET", "POST", "PUT", "DELETE", "PATCH"), values):
        if rule.arguments:
            official.ask(method, filled(rule, value))


def test_every_query_mangled(official: Official) -> None:
    for (rule, method), value in product(rules(official.app, "GET"), SHORT):
        pairs = [(name, value) for name in QUERIES]
        query = mangled.raw(pairs) if value.startswith(b"\xff") else mangled.escaped(pairs).encode()
        official.ask(method, filled(rule, "AE001"), query)


def test_every_form_and_body_mangled(official: Official) -> None:
    forms = [(mangled.FORM, mangled.escaped((name, value) for name in FIELDS).encode()) for value in [*SHORT, *LONG]]
    for (rule, method), (kind, body) in product(rules(official.app, "POST", "PUT", "PATCH"), [*forms, *BODIES]):
        official.ask(method, filled(rule, "AE001"), kind=kind, body=body)
