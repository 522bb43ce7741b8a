"""The code that an application's page offers to paste works as it stands."""

from __future__ import annotations

import html
import re
import shlex
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders.clients import decide
from builders.sandbox import APPLICATION, a_developer
from flask import Flask

from kernel.jobs.access import Principal, act_as
from sandbox.personas.actions import seed_personas


@pytest.mark.parametrize("profile", ["standard", "clave-unica"])
def test_the_flask_program_signs_a_test_person_in(provider: Flask, profile: str) -> None:
    with provider.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        seed_personas()
    browser = provider.test_client()
    a_developer(browser)
    page = browser.post("/sandbox/applications/new", data=APPLICATION | {"profile": profile}).text
    codes = [html.unescape(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.S)]
    program: dict[str, Any] = {"__name__": "app"}
    exec(next(code for code in codes if "OAuth(app)" in code), program)  # what the developer does too

    visitor = program["app"].test_client()
    asked = urlsplit(visitor.get("/login", base_url="http://localhost:5000").location)
    browser.post("/sign-in", data={"run": "44.444.444-4", "password": "testing"})
    answer = decide(browser, browser.get(f"{asked.path}?{asked.query}"), "allow")
    assert answer.location.startswith("http://localhost:5000/callback?")
    visitor.get(answer.location)
    assert "Hello María Carmen Del Río González" in html.unescape(
        visitor.get("/", base_url="http://localhost:5000").text
    )


def posted(command: str) -> tuple[str, str, dict[str, str]]:
    """The request that curl would send: the path, the client's name and secret, the form."""
    words = shlex.split(command)
    form = dict(after.split("=", 1) for before, after in pairwise(words) if before in ("-d", "--data-urlencode"))
    return urlsplit(words[1]).path, words[words.index("-u") + 1], form


def test_the_commands_for_a_device_let_it_in(provider: Flask) -> None:
    with provider.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        seed_personas()
    browser, device = provider.test_client(), provider.test_client()
    a_developer(browser)
    page = browser.post("/sandbox/applications/new", data=APPLICATION | {"device_flow": "y"}).text
    codes = [html.unescape(code) for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.S)]
    asking, coming_back = re.findall(r"^curl (?:\\\n|.)*", next(code for code in codes if "user_code" in code), re.M)

    def send(command: str, **instead: str) -> dict[str, Any]:
        path, credentials, form = posted(command)
        told: dict[str, Any] = device.post(path, data=form | instead, auth=tuple(credentials.split(":"))).get_json()
        return told

    told = send(asking)
    browser.post("/sign-in", data={"run": "44.444.444-4", "password": "testing"})
    assert "Trámites de Ñuble" in browser.post("/device", data={"user_code": told["user_code"]}).text
    browser.post("/device/decide", data={"user_code": told["user_code"], "decision": "allow"})
    assert "access_token" in send(coming_back, device_code=told["device_code"])
