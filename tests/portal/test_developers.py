"""The developers' guide and the explorer of the API."""

from __future__ import annotations

import ast
import html
import re

from flask.testing import FlaskClient


def test_the_guide_has_this_installations_addresses(client: FlaskClient) -> None:
    page = client.get("/developers").text
    assert "http://localhost/openid/.well-known/openid-configuration" in page
    code = next(c for c in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.S) if "authlib" in c)
    ast.parse(html.unescape(code))


def test_the_explorer_runs_on_files_of_this_site(client: FlaskClient) -> None:
    page = client.get("/developers/api")
    assert page.status_code == 200
    files = re.findall(r'(?:src|href)="(/developers/(?:swagger/)?static/[^"]+)"', page.text)
    assert len(files) == 4, files
    for file in files:
        assert client.get(html.unescape(file)).status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", page.text)
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert client.get("/api/v1/openapi.json").status_code == 200
