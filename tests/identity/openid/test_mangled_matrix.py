"""Every endpoint, every parameter, header and cookie, mangled in every way: nothing breaks, no browser goes astray.

The endpoints are those that the application serves, so that none is forgotten. A sound request is mangled in one place
at a time; which ways it goes through takes turns, so that each way meets each endpoint and each parameter.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, product

import pytest
from builders import mangled
from builders.apps import under_test
from builders.clients import CALLBACK, LEFT, VERIFIER, a_request, a_system
from builders.identity import a_person, an_agency, sign_in
from builders.keys import ASSERTION_TYPE, a_key, public
from builders.requests import a_signing_client
from builders.settings import behind_a_proxy
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.token_endpoint.grant_types import GRANTS
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app

Given = Mapping[str, bytes] | Iterable[tuple[str, bytes]]
BLUEPRINTS = ("openid.", "signin.")
PARAMETERS = (
    *("client_id", "client_secret", "client_assertion", "client_assertion_type", "redirect_uri", "response_type"),
    *("response_mode", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"),
    *("acr_values", "claims", "claims_locales", "id_token_hint", "login_hint", "ui_locales", "display", "registration"),
    *("request", "request_uri", "resource", "audience", "authorization_details", "dpop_jkt", "detour", "grant_type"),
    *("code", "code_verifier", "refresh_token", "device_code", "assertion", "subject_token", "subject_token_type"),
    *("actor_token", "actor_token_type", "requested_token_type", "token", "token_type_hint", "access_token"),
    *("post_logout_redirect_uri", "redirect", "logout_hint", "user_code", "decision", "next", "again", "run"),
    *("password", "language", "x"),
)
TAKES_LONG = ("state", "request", "claims", "authorization_details", "client_assertion", "token", "code", "password")


@dataclass(frozen=True)
class Place:
    """A path and a method."""

    path: str
    method: str

    @property
    def takes_form(self) -> bool:
        return self.method in ("POST", "PUT")


@dataclass(frozen=True)
class Installation:
    """The application behind a proxy, a person signed in, and what a sound request needs."""

    app: Flask
    browser: FlaskClient
    made: NewClient
    system: NewClient
    open_to_all: NewClient
    """A system with every grant of systems, by a secret."""
    turns: Iterator[int] = field(default_factory=count)

    def send(
        self, place: Place, given: Given, headers: dict[str, str] | None = None, *, as_it_is: bool = False
    ) -> TestResponse:
        """Send the parameters where the place takes them, percent-encoded or octet by octet."""
        pairs = given.items() if isinstance(given, Mapping) else given
        written = mangled.raw(pairs) if as_it_is else mangled.escaped(pairs).encode()
        if place.takes_form:
            return self._open(place, headers, body=written, kind=mangled.FORM)
        return self._open(place, headers, query=written)

    def send_body(self, place: Place, kind: str, body: bytes) -> TestResponse:
        return self._open(place, None, body=body, kind=kind)

    def _open(
        self,
        place: Place,
        headers: dict[str, str] | None,
        query: bytes = b"",
        body: bytes | None = None,
        kind: str = "",
    ) -> TestResponse:
        turn = next(self.turns)
        # Nobody is slowed down: each request comes from elsewhere.
        elsewhere = {"X-Forwarded-For": f"10.{turn >> 16 & 255}.{turn >> 8 & 255}.{turn & 255}"}
        return self.browser.open(
            place.path,
            method=place.method,
            data=body,
            content_type=kind or None,
            headers={**elsewhere, **(headers or {})},
            environ_overrides={"QUERY_STRING": query.decode("latin-1")},
        )

    def sound(self, place: Place) -> dict[str, bytes]:
        """Parameters with which a request comes far at the place."""
        secret = {"client_id": self.made.client.client_id, "client_secret": self.made.secret or ""}
        asked = a_request(self.made)
        form: dict[str, str]
        match place.path.removeprefix("/openid/"):
            case "authorize" | "consent":
                form = asked
            case "par":
                form = asked | secret
            case "token":
                form = {**secret, "redirect_uri": CALLBACK, "code": "x", "code_verifier": VERIFIER}
                form |= {"grant_type": "authorization_code"}
            case "introspect" | "revoke":
                form = {**secret, "token": "x"}
            case "device_authorization":
                form = {**secret, "scope": "openid"}
            case "end-session" | "end-session/confirm" | "logout":
                form = {"client_id": self.made.client.client_id, "post_logout_redirect_uri": LEFT, "state": "x"}
            case _:
                form = {"decision": "allow", "user_code": "BCDF-GHJK", "next": "/account", "run": "10000013-K"}
        return {name: value.encode() for name, value in form.items()}


@pytest.fixture
def installation(settings: Settings) -> Iterator[Installation]:
    app = under_test(create_app(behind_a_proxy(settings)), PROPAGATE_EXCEPTIONS=False)
    with app.app_context():
        person = a_person(is_test_person=True)
        an_agency("AE001")
        options = {"tls_client_auth_subject_dn": "CN=sistema,O=Servicio de Prueba,C=CL"}
        made, system = (
            a_signing_client(a_key(), options={"device_flow": True}),
            a_system(auth_method="tls_client_auth", options=options),
        )
        open_to_all = a_system(jwks=public(a_key()))
    browser = app.test_client()
    sign_in(browser, person)
    yield Installation(app, browser, made, system, open_to_all)
    ENGINE.of(app).dispose()


def places(app: Flask) -> list[Place]:
    """Every place of the provider and of signing in; one with a trailing slash is the same view."""
    found = {
        Place(rule.rule.replace("<client_id>", "x"), method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(BLUEPRINTS) and not rule.endpoint.endswith("_slash")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert len(found) > 30
    return sorted(found, key=lambda place: (place.path, place.method))


def check(answer: TestResponse, *about: object) -> None:
    """Never our fault, never somewhere else, and never a trace of what happened."""
    assert answer.status_code < 500, about
    leads = answer.headers.get("Location", "/").removeprefix("http://localhost")
    assert leads.startswith(("/", f"{CALLBACK}?", f"{CALLBACK}#", LEFT)), (leads, about)
    assert not leads.startswith(("//", "/\\")), (leads, about)
    assert "Traceback" not in answer.text, about


def taking_turns(values: list[bytes], each: int) -> Callable[[], list[bytes]]:
    """Some of the values at a time, all of them in the end."""
    turn = count()

    def some() -> list[bytes]:
        return [values[(next(turn) * 7 + 3) % len(values)] for _ in range(each)]

    return some


def test_every_parameter_mangled_at_every_endpoint(installation: Installation) -> None:
    value_of = taking_turns([*mangled.TEXTS, *mangled.TOKENS[:10]], 1)
    for turn, (place, name) in enumerate(product(places(installation.app), PARAMETERS)):
        sound, [value] = installation.sound(place), value_of()
        check(installation.send(place, {**sound, name: value}, as_it_is=turn % 2 == 0), place, name, value[:80])
        if place.path.startswith("/openid/"):
            twice = [*sound.items(), (name, sound.get(name, b"x")), (name, b"another")]
            check(installation.send(place, twice), place, name, "twice")


def test_every_parameter_of_an_authorization_request_mangled_in_every_way(installation: Installation) -> None:
    ways = [Place("/openid/authorize", "GET"), Place("/openid/authorize", "POST")]
    ways += [Place("/openid/par", "POST"), Place("/openid/consent", "POST")]
    values = [*mangled.TEXTS, *mangled.TOKENS[::4]]
    for turn, (name, value) in enumerate(product(PARAMETERS[: PARAMETERS.index("grant_type")], values)):
        place = ways[turn % len(ways)]
        check(installation.send(place, {**installation.sound(place), name: value}), place, name, value[:80])


def test_what_is_taken_apart_mangled_in_every_way(installation: Installation) -> None:
    bearer = {"grant_type": b"urn:ietf:params:oauth:grant-type:jwt-bearer"}
    signed = {"client_assertion_type": ASSERTION_TYPE.encode(), "client_secret": b""}
    where = {
        "request": ("authorize", {}),
        "id_token_hint": ("end-session", {}),
        "client_assertion": ("token", signed),
        "assertion": ("token", bearer),
        "token": ("introspect", {}),
    }
    for (name, (path, also)), value in product(where.items(), [*mangled.TEXTS, *mangled.TOKENS]):
        place = Place(f"/openid/{path}", "POST")
        check(installation.send(place, {**installation.sound(place), **also, name: value}), place, name, value[:80])


def test_every_header_mangled_at_every_endpoint(installation: Installation) -> None:
    proofs = taking_turns([b"", b" ", b"\xff", *mangled.TOKENS], 6)
    credentials = taking_turns(mangled.AUTHORIZATIONS, 8)
    others = [
        *(("X-Client-Cert", value) for value in mangled.CERTIFICATES),
        *(("X-Client-Verify", value) for value in (b"", b"\xff", b"success")),
        *(
            ("Cookie", b"cordillera_session=" + value)
            for value in (b"", b"\xff", b"\x00", b"x" * 60_000, b'"', b"a; b=")
        ),
        *(("Cookie", value) for value in (b"=", b";;;", b"session=eyJhIjoxfQ.x.y", b"language=\xff; theme=\x00")),
        *(("Accept", value) for value in (b"", b"\xff", b"*", b"a/b;q=x", b"application/json;" * 900)),
        *(("Accept-Language", value) for value in (b"", b"\xff", b"x" * 9_000, b"es;q=1e400", b"../..")),
        *(("Content-Length", value) for value in (b"x", b"-1")),
        *(("X-Request-ID", value) for value in (b"\xff", b"x" * 9_000)),
        *(("Origin", value) for value in (b"null", b"http://[", b"\xff")),
        *(("Host", value) for value in (b"elsewhere.example", b"\xff", b"[", b"localhost:x")),
    ]
    for place in places(installation.app):
        headers = [("DPoP", value) for value in proofs()] + [("Authorization", value) for value in credentials()]
        for name, value in [*headers, *others]:
            sound = installation.sound(place)
            if name in ("Authorization", "X-Client-Cert"):
                sound.pop("client_secret", None)
            if name == "X-Client-Cert":
                sound["client_id"] = installation.system.client.client_id.encode()
            check(installation.send(place, sound, {name: mangled.header_value(value)}), place, name, value[:80])


def test_every_body_mangled_at_every_endpoint(installation: Installation) -> None:
    for place, (kind, body) in product(places(installation.app), mangled.BODIES):
        if place.takes_form:
            check(installation.send_body(place, kind, body), place, kind, body[:80])


def test_a_megabyte_in_every_parameter_that_is_long(installation: Installation) -> None:
    long = [place for place in places(installation.app) if place.takes_form or place.path.endswith("/authorize")]
    for place, name in product(long, TAKES_LONG):
        check(
            installation.send(place, {**installation.sound(place), name: mangled.MEGABYTE}, as_it_is=True), place, name
        )


def test_every_grant_with_every_parameter_mangled(installation: Installation) -> None:
    place = Place("/openid/token", "POST")
    values = taking_turns([*mangled.TEXTS, *mangled.TOKENS], 4)
    for grant, name in product(GRANTS, PARAMETERS):
        sound = {**installation.sound(place), "grant_type": grant.encode(), "scope": b"communications.send"}
        sound |= {"client_id": installation.open_to_all.client.client_id.encode()}
        sound |= {"client_secret": (installation.open_to_all.secret or "").encode()}
        for value in values():
            check(installation.send(place, {**sound, name: value}), grant, name, value[:80])


def test_every_path_mangled(installation: Installation) -> None:
    names = ("%00", "%FF", "%2e%2e", "..", "%C3%B1", "x" * 5_000, "%ED%A0%80", "a b", "'", "%2f%2felsewhere.example")
    for rule, name in product(
        ("/openid/register/{}", "/account/applications/{}/withdraw", "/openid/{}", "/device/{}"), names
    ):
        for method in ("GET", "POST", "PUT", "DELETE"):
            place = Place(rule.format(name), method)
            check(installation.send(place, {}, {"Authorization": "Bearer x"}), place)
