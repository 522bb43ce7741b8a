"""While the database is away every address says so, by both doors: 503, when to come again, and in its own words."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from builders.clients import CALLBACK, a_client, a_code, a_request, a_system, basic, machine_token, redeem, token_form
from builders.identity import PASSWORD, a_person, an_agency, sign_in_for
from builders.settings import settings_of_tests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import AnyConverter, BaseConverter, Rule
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.officials.actions import appoint
from kernel.database import migrate, outage
from kernel.database.db import ENGINE
from portal.app import create_app
from portal.local.postgres import EmbeddedPostgres

pytestmark = pytest.mark.slow

EXAMPLES = {"code": "AE001", "run": "10000013-K"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder = tmp_path_factory.mktemp("outage")
    found = EmbeddedPostgres(folder / "postgres", log=folder / "postgres.log", fast=True)
    migrate.upgrade(found.start())
    yield found
    found.stop()


class Site:
    """A site with an official signed in, an application and a system, as it is outside of tests."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            agency = an_agency(is_authority=True)
            self.person = a_person(is_test_person=True)
            for role in ("administrator", "publisher", "correspondent"):
                appoint(agency.code, str(self.person.run), role)
            self.made: NewClient = a_client("standard", owner="agency:AE001", scopes=["openid", "run", "name", "email"])
            self.system = a_system(agency.code, ["communications.send", "communications.receive", "gateway"])
        self.browser = app.test_client()
        self.browser.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        sign_in_for(self.browser, self.person, agency)
        self.token = machine_token(self.browser, self.system)
        self.access = redeem(self.browser, self.made, a_code(self.browser, self.made)).get_json()["access_token"]
        self.code = a_code(self.browser, self.made)

    def stranger(self) -> FlaskClient:
        found = self.app.test_client(use_cookies=False)
        found.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        return found

    def rules(self) -> list[tuple[Rule, str]]:
        found = sorted(self.app.url_map.iter_rules(), key=lambda rule: rule.rule)
        return [(rule, method) for rule in found for method in sorted(rule.methods or ()) if method != "OPTIONS"]

    def path(self, rule: Rule) -> str:
        values = {name: _example(name, rule._converters[name]) for name in rule.arguments}  # told nowhere else
        return str(self.app.url_map.bind("localhost").build(rule.endpoint, values, force_external=False))


def _example(name: str, converter: BaseConverter) -> str:
    if isinstance(converter, AnyConverter):
        return min(converter.items)
    by_kind = {"IntegerConverter": "1", "UUIDConverter": "00000000-0000-7000-8000-000000000000"}
    return by_kind.get(type(converter).__name__) or EXAMPLES.get(name, "x")


@pytest.fixture(scope="module")
def site(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    app = create_app(settings_of_tests(server.url(), tmp_path_factory.mktemp("outage") / "var"))
    found = Site(app)
    yield found
    ENGINE.of(app).dispose()


@contextmanager
def stopped(server: EmbeddedPostgres) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: EmbeddedPostgres) -> Iterator[None]:
    """It takes connections and says nothing any more, on old ones and new."""
    pids = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _is_of(server, path)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def _is_of(server: EmbeddedPostgres, stat: Path) -> bool:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return str(server.pid()) in (fields[1], stat.parent.name)


def assert_told(answer: TestResponse, *about: object) -> None:
    """Either it could be answered all the same, or it says that it cannot just now."""
    told: Any = about, answer.status_code, answer.text[:300]
    if answer.status_code < 500:
        return
    assert answer.status_code == 503, told
    assert int(answer.headers["Retry-After"]) > 0, told
    assert answer.headers["X-Request-Id"], told
    if not answer.text:  # HEAD
        return
    if answer.mimetype == "text/html":
        assert "<main" in answer.text, told
        assert "/problems/un" in answer.text, told
        return
    said = json.loads(answer.text)
    if answer.mimetype == "application/json":
        assert said.get("error") == "temporarily_unavailable" or said.get("status") == "unavailable", told
    else:
        assert (answer.mimetype, said["status"]) == ("application/problem+json", 503), told


Away = Callable[[EmbeddedPostgres], AbstractContextManager[None]]


def test_every_address_says_that_the_database_is_away_to_everybody(site: Site, server: EmbeddedPostgres) -> None:
    bearer = {"Authorization": f"Bearer {site.token}"}
    told = 0
    with stopped(server):
        for rule, method in site.rules():
            path = site.path(rule)
            for caller, headers in ((site.stranger(), {}), (site.browser, {}), (site.stranger(), bearer)):
                for accept in ("text/html", "application/json"):
                    answer = caller.open(path, method=method, headers={**headers, "Accept": accept}, data={})
                    assert_told(answer, method, path, headers, accept)
                    told += answer.status_code == 503
                    answer.close()
    assert told > len(site.rules())


def both_doors(site: Site) -> Iterator[tuple[str, TestResponse]]:
    """The requests that have a direct door, as they come plainly; and the first of their kind by the other."""
    asked = a_request(site.made)
    form = {"run": str(site.person.run), "password": PASSWORD, "next": f"/openid/authorize?redirect_uri={CALLBACK}"}
    machine = {"grant_type": "client_credentials"}
    bearer = {"Authorization": f"Bearer {site.access}"}
    secret = basic(site.system.client.client_id, site.system.secret)
    for more in ({}, {"cookie": "theirs"}):
        stranger = site.stranger()
        if more:
            stranger.environ_base["HTTP_COOKIE"] = "a=b"
        yield "authorize", stranger.get("/openid/authorize", query_string={**asked, "state": "another" * 5})
        yield "sign-in", stranger.post("/sign-in", data=form)
        yield "token", stranger.post("/openid/token", data=machine, headers=secret)
        yield "code", stranger.post("/openid/token", data=token_form(site.made, site.code))
        yield "userinfo", stranger.get("/openid/userinfo", headers=bearer)
        yield "introspect", stranger.post("/openid/introspect", data={"token": site.access}, headers=secret)
        yield "gateway", stranger.get("/gateway/SRV-000001/v1/x", headers={"Authorization": f"Bearer {site.token}"})
        yield "ready", stranger.get("/health/ready")
        yield "api", stranger.get("/api/v1/agencies")
        yield "page", stranger.get("/catalogue", headers={"Accept": "text/html"})


@pytest.mark.parametrize("away", [stopped, frozen])
def test_both_doors_say_it_and_open_again_when_the_database_is_back(
    site: Site, server: EmbeddedPostgres, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "ANSWER_SECONDS", 1.0)
    for name, answer in both_doors(site):  # what was asked before is remembered, and connections are kept
        assert answer.status_code < 500, name
    site.code = a_code(site.browser, site.made)
    with away(server):
        for name, answer in both_doors(site):
            assert_told(answer, name)
            if name in ("code", "userinfo", "introspect", "ready", "api", "page"):
                assert answer.status_code == 503, (name, answer.status_code, answer.text[:200])
    for name, answer in both_doors(site):
        assert answer.status_code < 500, (name, answer.text[:300])


def test_the_metrics_and_the_living_need_no_database(site: Site, server: EmbeddedPostgres) -> None:
    with stopped(server):
        assert site.stranger().get("/metrics").status_code == 200
        assert site.stranger().get("/health/live").status_code == 200
        ready = site.stranger().get("/health/ready")
    assert (ready.status_code, ready.get_json()["status"]) == (503, "unavailable")


def test_who_cannot_be_told_from_a_stranger_is_not_called_one(site: Site, server: EmbeddedPostgres) -> None:
    """A cookie that cannot be looked up leads to no sign-in page: the person has signed in."""
    with stopped(server):
        assert site.browser.get("/account", headers={"Accept": "text/html"}).status_code == 503
    assert site.browser.get("/account").status_code == 200
