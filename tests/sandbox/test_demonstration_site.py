"""The demonstration agency's site, signing in at the real provider over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from builders.clients import a_client, decide
from flask import Flask
from flask.testing import FlaskClient

from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.jobs.access import Principal, act_as
from sandbox.demonstration.site import create_site
from sandbox.personas.actions import seed_personas

SITE = "http://localhost:4999"


@pytest.fixture
def site(provider: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    settings: Settings = SETTINGS.of(provider)
    with provider.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        seed_personas()
        made = a_client("standard", redirect_uris=[f"{SITE}/callback"], post_logout_redirect_uris=[f"{SITE}/"])
        credentials = {"client_id": made.client.client_id, "client_secret": made.secret}
    (tmp_path / "demonstration.json").write_text(json.dumps(credentials))
    monkeypatch.setenv("CORDILLERA_BASE_URL", settings.base_url)
    monkeypatch.setenv("CORDILLERA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CORDILLERA_DEMONSTRATION_SITE_URL", SITE)
    return create_site().test_client()


def at_the_provider(browser: FlaskClient, address: str, decision: str = "allow", run: str = "44.444.444-4") -> str:
    """Sign in and decide; the query with which the browser comes back."""
    parts = urlsplit(address)
    asked = f"{parts.path}?{parts.query}"
    browser.post("/sign-in", data={"run": run, "password": "testing"})
    answer = decide(browser, browser.get(asked), decision)
    assert answer.location.startswith(f"{SITE}/callback?")
    return urlsplit(answer.location).query


def test_a_citizen_signs_in_and_out(provider: Flask, site: FlaskClient) -> None:
    browser = provider.test_client()
    started = site.get("/sign-in")
    query = at_the_provider(browser, started.location)
    assert site.get(f"/callback?{query}").location == "/"
    home = site.get("/?lang=es").text
    assert "Hola, María" in home
    assert "44.444.444-4" in home
    assert "María Carmen Del Río González" in home
    left = site.post("/sign-out")
    logout = urlsplit(left.location)
    assert logout.path == "/openid/end-session"
    assert parse_qs(logout.query)["post_logout_redirect_uri"] == [f"{SITE}/"]
    assert browser.get(f"{logout.path}?{logout.query}").location == f"{SITE}/"
    assert "Ingresar con Cordillera" in site.get("/").text


def test_the_site_speaks_english(site: FlaskClient) -> None:
    page = site.get("/?lang=en").text
    assert '<html lang="en">' in page
    assert "Sign in with Cordillera" in page
    assert "Sign in with Cordillera" in site.get("/").text


def test_a_person_without_surname_is_greeted(provider: Flask, site: FlaskClient) -> None:
    query = at_the_provider(provider.test_client(), site.get("/sign-in").location, run="48.000.100-1")
    site.get(f"/callback?{query}")
    assert "Hola, Ana" in site.get("/?lang=es").text


def test_who_refuses_is_told_so(provider: Flask, site: FlaskClient) -> None:
    query = at_the_provider(provider.test_client(), site.get("/sign-in?lang=es").location, decision="deny")
    page = site.get(f"/callback?{query}")
    assert page.status_code == 502
    assert "prefirió no compartir" in page.text


def test_an_answer_nobody_asked_for_signs_nobody_in(provider: Flask, site: FlaskClient) -> None:
    query = at_the_provider(provider.test_client(), site.get("/sign-in").location)
    stranger = site.application.test_client()
    assert stranger.get(f"/callback?{query}").status_code == 502
    assert "Ingresar con Cordillera" in stranger.get("/").text


def test_a_code_comes_back_once(provider: Flask, site: FlaskClient) -> None:
    query = at_the_provider(provider.test_client(), site.get("/sign-in").location)
    assert site.get(f"/callback?{query}").status_code == 302
    assert site.get(f"/callback?{query}").status_code == 502


def test_without_credentials_the_site_says_what_to_do(site: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "demonstration.json").unlink()
    page = site.get("/sign-in?lang=en")
    assert page.status_code == 502
    assert "make run" in page.text


def test_while_cordillera_is_down_the_site_says_so(site: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORDILLERA_BASE_URL", "http://localhost:1")
    page = site.get("/sign-in?lang=en")
    assert page.status_code == 502
    assert "does not answer" in page.text
