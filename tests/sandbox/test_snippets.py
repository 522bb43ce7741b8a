"""The code that an application's page offers to paste works as it stands."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from builders.clients import decide
from builders.sandbox import APPLICATION, a_developer
from flask import Flask

from kernel.access import Principal, act_as
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
