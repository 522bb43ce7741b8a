"""Forms as a browser sends them: with everything that stands in them, and what a person wrote."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class _Forms(HTMLParser):
    """The hidden inputs of each form of a page, by the form's address."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._open: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = self.found.setdefault(said.get("action", ""), {})
        elif tag == "input" and said.get("type") == "hidden":
            self._open[said["name"]] = said.get("value", "")


def hidden_inputs(page: str, address: str) -> dict[str, str]:
    """Return the hidden inputs of the page's form for this address; a form without an address has its page's."""
    forms = _Forms()
    forms.feed(page)
    return forms.found.get(address) or forms.found[""]


def opened(client: FlaskClient, page: str, address: str = "") -> dict[str, str]:
    """Open a page and take its form in hand."""
    answer = client.get(page)
    assert answer.status_code == 200, answer.text
    return hidden_inputs(answer.text, address or page.partition("?")[0])


def send_form(client: FlaskClient, address: str, form: dict[str, str], **written: Any) -> TestResponse:
    return client.post(address, data={**form, **written})
