"""OpenAPI documents as agencies send them: sound ones, wrong ones, and those made to do harm."""

import json
import time
from typing import Any

import pytest
import yaml
from builders.catalogue import an_openapi_document
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from catalogue.services.schemas import MAX_DOCUMENT_BYTES, DocumentRefused, read_openapi


def as_json(document: Any) -> bytes:
    return json.dumps(document, indent=1).encode()


def reason(app: Flask, content: bytes) -> str:
    with app.test_request_context(headers={"Accept-Language": "en"}), pytest.raises(DocumentRefused) as refused:
        read_openapi(content)
    with app.test_request_context(headers={"Accept-Language": "en"}):
        return str(refused.value.detail)


@pytest.mark.parametrize("write", [as_json, lambda document: yaml.safe_dump(document).encode()])
@pytest.mark.parametrize("standard", ["3.0.3", "3.1.0"])
def test_a_sound_document_is_read(write: Any, standard: str) -> None:
    content = write({**an_openapi_document(), "openapi": standard})
    document = read_openapi(content)
    assert document.text.encode() == content
    assert document.title == "Permisos de circulación"
    assert document.operations == ({"method": "GET", "path": "/permisos/{patente}", "summary": "Consulta un permiso"},)


def test_yaml_with_numbers_for_statuses_and_a_byte_order_mark_is_read() -> None:
    text = "openapi: 3.0.0\ninfo: {title: A, version: '1'}\npaths: {/a: {get: {responses: {200: {description: x}}}}}\n"
    assert read_openapi(text.encode("utf-8-sig")).operations[0]["path"] == "/a"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"openapi": "3.1.0",\n "info": }', "Line 2"),
        (b'{"openapi": "3.1.0"', "Line 1"),
        (b"openapi: 3.1.0\ninfo:\n  title: [1, 2\n", "Line 4"),
        (b"openapi: 3.1.0\ninfo: *all\n", "Line 2"),
        (b"\tx: 1", "Line 1"),
        (b"openapi: 3.1.0\n\xff\xfe", "Line 2"),
        (b"[]", "Line 1"),
        (b"just words", "Line 1"),
        (b"swagger: '2.0'", "Line 1"),
        (b"openapi: 4.0.0", "Line 1"),
        (b"a: !!python/object/apply:os.system [ls]", "Line 1"),
        (b"x: 2026-13-45", "Line 1"),
    ],
)
def test_what_does_not_parse_is_told_with_its_line(app: Flask, content: bytes, line: str) -> None:
    assert reason(app, content).startswith(line)


def test_what_the_standard_does_not_allow_is_told_with_line_and_place(app: Flask) -> None:
    document = an_openapi_document()
    del document["paths"]["/permisos/{patente}"]["get"]["responses"]["200"]["description"]
    told = reason(app, as_json(document))
    assert "“description” is missing" in told
    assert "paths › /permisos/{patente} › get › responses › 200" in told
    line = int(told.split(",")[0].removeprefix("Line "))
    assert '"200"' in as_json(document).decode().splitlines()[line - 1]


@pytest.mark.parametrize(
    "reference", ["https://evil.example/schema.json", "file:///etc/passwd", "other.yaml#/a", "http://169.254.169.254/"]
)
def test_a_reference_to_elsewhere_is_refused_and_not_followed(app: Flask, reference: str) -> None:
    document = an_openapi_document(**{"/otra": {"$ref": reference}})
    assert reference in reason(app, as_json(document))


def _bomb() -> bytes:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"{" + b'"a":{' * 50_000,
        b"[" * 100_000,
        b"a: " + b"[" * 100_000,
        b"- " * 5_000 + b"x",
        _bomb(),
        b'{"a": ' + b"1" * 10_000 + b"}",
        b"x" * (MAX_DOCUMENT_BYTES + 1),
        b"\x00" * 100,
        b"openapi: 3.1.0\n? {a: b}\n: c",
        b"? [a]\n: c",
        as_json({**an_openapi_document(), "x-many": [{} for _ in range(30_000)]}),
        json.dumps({**an_openapi_document(), "x-deep": json.loads("[" * 200 + "]" * 200)}).encode(),
    ],
)
def test_a_document_made_to_do_harm_is_refused_quickly(content: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(DocumentRefused):
        read_openapi(content)
    assert time.monotonic() - started < 5


def test_references_that_multiply_take_no_longer_than_others() -> None:
    schemas = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(200)}
    schemas["Self"] = {"allOf": [{"$ref": "#/components/schemas/Self"}]}
    started = time.monotonic()
    read_openapi(as_json({**an_openapi_document(), "components": {"schemas": schemas}}))
    assert time.monotonic() - started < 5


def test_text_that_the_database_cannot_keep_is_left_out_of_the_list() -> None:
    document = an_openapi_document()
    document["paths"]["/permisos/{patente}"]["get"]["summary"] = "half \ud800 and null \u0000 end"
    (operation,) = read_openapi(as_json(document)).operations
    assert operation["summary"] == "half ? and null end"


@given(st.binary() | st.text().map(lambda text: text.encode()))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(DocumentRefused):
        read_openapi(content)
