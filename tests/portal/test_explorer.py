"""The explorer of the API: in the reader's language, and with a way to a token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask.testing import FlaskClient

DOCUMENT = "/developers/openapi.json"
NOT_TRANSLATED = re.compile(r"RFC \d+")


def texts(client: FlaskClient, language: str) -> list[str]:
    """The texts of the document that people read first: groups, summaries, parameters and answers, in their order."""
    document = client.get(DOCUMENT, headers={"Accept-Language": language}).get_json()
    return [text for text in _read(document["paths"]) if text and not NOT_TRANSLATED.fullmatch(text)] + [
        text for tag in document["tags"] for text in tag.values()
    ]


def _read(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for inner, each in value.items():
            yield from _read(each, inner)
    elif isinstance(value, list):
        for each in value:
            yield from _read(each, name)
    elif name in ("summary", "description", "tags"):
        yield value


def test_the_description_is_in_the_readers_language(client: FlaskClient) -> None:
    english, spanish = texts(client, "en"), texts(client, "es")
    assert len(english) == len(spanish) > 100
    same = [one for one, other in zip(english, spanish, strict=True) if one == other]
    # What is rare in an answer may wait for its translation; what a reader sees first may not.
    assert len(same) < len(english) / 10, same
    document = client.get(DOCUMENT, headers={"Accept-Language": "en"}).get_json()
    shown_first = {
        operation["summary"]
        for item in document["paths"].values()
        for operation in item.values()
        if "summary" in operation
    }
    assert shown_first & set(same) == set()


def test_the_translated_description_is_that_of_programs(client: FlaskClient) -> None:
    """Only words differ: the same operations with the same shapes."""
    told, programs = client.get(DOCUMENT).get_json(), client.get("/api/v1/openapi.json").get_json()
    assert told["paths"].keys() == programs["paths"].keys()
    assert told["components"]["schemas"].keys() == programs["components"]["schemas"].keys()
    in_english = client.get(DOCUMENT, headers={"Accept-Language": "en"}).get_json()
    operation = programs["paths"]["/api/v1/agencies"]["get"]
    assert in_english["paths"]["/api/v1/agencies"]["get"] == operation


def test_the_explorer_says_how_to_get_a_token(client: FlaskClient) -> None:
    page = client.get("/developers/api").text
    assert 'id="token"' in page
    assert "grant_type=client_credentials" in page
    assert 'href="/agency/systems/new"' in page


def test_the_explorers_own_words_are_translated(client: FlaskClient) -> None:
    assert "Poner un token" in client.get("/developers/api").text
    assert "Try it out" in client.get("/developers/api").text, "the word to look for"
