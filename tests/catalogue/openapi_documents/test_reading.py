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

from catalogue.openapi_documents.findings import DocumentRefused
from catalogue.openapi_documents.reader import MAX_DOCUMENT_BYTES, read_openapi
from catalogue.openapi_documents.yaml_text import read_yaml


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


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("=", "="),
        ("yes", "yes"),
        ("off", "off"),
        ("2026-11-30", "2026-11-30"),
        ("2019-02-14T16:47:01Z", "2019-02-14T16:47:01Z"),
        ("2026-02-30", "2026-02-30"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("+12", 12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("~", None),
        ("", None),
        ("True", True),
        ("!!str 12", "12"),
        ("!!float 1", 1.0),
        ("'12'", "12"),
        ("<<", "<<"),
        ("NaN", "NaN"),
    ],
)
def test_values_of_yaml_are_those_of_its_version_1_2(value: str, meant: Any) -> None:
    read = read_yaml(f"a: {value}\n", lambda *_: None)["a"]
    assert (read, type(read)) == (meant, type(meant))


@pytest.mark.parametrize("version", ["2026-11-30", "2019-02-14T16:47:01Z", "yes", "="])
def test_a_version_that_looks_like_something_else_is_text(version: str) -> None:
    read_openapi(f"openapi: 3.0.3\ninfo: {{title: A, version: {version}}}\npaths: {{}}\n".encode())


def test_names_in_yaml_are_the_text_that_is_written(app: Flask) -> None:
    assert read_yaml("200: a\ntrue: b\n0x10: c\n1.10: d\n~: e\n", lambda *_: None) == {
        "200": "a",
        "true": "b",
        "0x10": "c",
        "1.10": "d",
        "~": "e",
    }


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("openapi: 3.0.3\ninfo: {title: A, version: '1'}\npaths:\n  /a: {}\n  /b: {}\n  /a: {}\n", 6),
        ("openapi: 3.0.3\npaths: {/a: {get: {responses: {200: {description: x},\n '200': {description: y}}}}}\n", 3),
        ("openapi: 3.0.3\nx: [{a: 1}, {b: 1,\n b: 2}]\n", 3),
        ('{"openapi": "3.0.3",\n"paths": {"/a": {},\n"/b": {},\n"/a": {}}}', 4),
        ('{"a": [{"x": 1}, {"x": 1,\n "\\u0078": 2}]}', 2),
    ],
)
def test_a_name_that_stands_twice_is_refused_with_its_line(app: Flask, content: str, line: int) -> None:
    told = reason(app, content.encode())
    assert told.startswith(f"Line {line}")
    assert "twice" in told


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused_with_their_line(app: Flask, number: str) -> None:
    told = reason(app, f'{{"openapi": "3.0.3", "x-text": "{number}",\n "x-n": [1, {number}]}}'.encode())
    assert told == f"Line 2: “{number}” is not a number in JSON. Leave it out, or write it in quotes."


@pytest.mark.parametrize("number", [".nan", ".inf", "-.INF", "1e999"])
def test_numbers_that_json_does_not_have_are_refused_in_yaml_too(app: Flask, number: str) -> None:
    assert reason(app, f"openapi: 3.0.3\nx-n: {number}\n".encode()).startswith("Line 2")


HEAD = "openapi: 3.0.3\ninfo: {title: A, version: '1'}\n"


def test_aliases_stand_for_what_they_name() -> None:
    text = HEAD + "x-ok: &ok {description: x}\npaths: {/a: {get: {responses: {'200': *ok}}}}\n"
    document = read_openapi(text.encode())
    assert document.operations[0]["path"] == "/a"
    assert document.warnings == ()


def test_merged_mappings_are_applied_with_a_warning() -> None:
    text = HEAD + "x-ops: &ops\n  get: {responses: {'200': {description: x}}}\npaths:\n  /a:\n    <<: *ops\n"
    document = read_openapi(text.encode())
    assert [row["method"] for row in document.operations] == ["GET"]
    assert [(one.code, one.line) for one in document.warnings] == [("merged", 7)]


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ("x-a: *nothing\n", 3),
        ("x-a: &a [*a]\n", 3),
        ("x-a: 1\n<<: 1\n", 4),
        ("x-a: !Ref b\n", 3),
        ("x-a: !!timestamp 2026-11-30\n", 3),
        ("x-a: !!int no\n", 3),
        ("? [a]\n: b\n", 3),
        ("x-a: b: c\n", 3),
        ("x-a:\n  b: 1\n c: 2\n", 5),
        ("x-a: 'open\n", 4),
        ("x-a: @b\n", 3),
        ('x-a: "\\q"\n', 3),
        ("---\nopenapi: 3.0.3\n", 3),
        ("x-a: \x07\n", 3),
    ],
)
def test_what_is_wrong_in_yaml_is_told_with_its_line(app: Flask, rest: str, line: int) -> None:
    told = reason(app, (HEAD + rest).encode())
    assert told.startswith(f"Line {line}:")


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ('"a": 1,\n}', 2),
        ('"a" 1}', 1),
        ('"a": 1\n"b": 2}', 2),
        ('"a":\n x}', 2),
        ('"a": "\n"}', 1),
        ('"a": "\\q"}', 1),
        ('"a": "open', 1),
        ('"a": 1}\n{}', 2),
    ],
)
def test_what_is_wrong_in_json_is_told_with_its_line(app: Flask, rest: str, line: int) -> None:
    assert reason(app, ("{" + rest).encode()).startswith(f"Line {line}:")


def test_text_in_utf_16_is_read() -> None:
    assert read_openapi((HEAD + "paths: {}\n").encode("utf-16")).text == HEAD + "paths: {}\n"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_document_is_told_to_be_empty(app: Flask, content: bytes) -> None:
    assert reason(app, content) == "The document is empty: there is nothing in it."


def in_yaml(document: Any) -> bytes:
    return yaml.dump(document, Dumper=yaml.CSafeDumper).encode()


def _of_size(size: int, version: str, write: Any) -> bytes:
    """A document of almost so many bytes, as generators write them: many small schemas."""
    document = {"openapi": version, "info": {"title": "A", "version": "1"}, "paths": {}}
    number = size // 90
    while True:
        schemas = {f"Schema{n}": {"type": "object", "properties": {"a": {"type": "string"}}} for n in range(number)}
        content: bytes = write({**document, "components": {"schemas": schemas}})
        if len(content) <= size:
            return content
        number = number * 9 // 10


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0", "3.2.0"])
@pytest.mark.parametrize("write", [lambda one: json.dumps(one).encode(), in_yaml])
def test_every_document_up_to_the_limit_is_read_in_a_few_seconds(version: str, write: Any) -> None:
    content = _of_size(MAX_DOCUMENT_BYTES, version, write)
    assert len(content) > MAX_DOCUMENT_BYTES * 3 // 4
    started = time.process_time()
    read_openapi(content)
    assert time.process_time() - started < 5


@pytest.mark.slow
def test_text_that_is_dense_with_values_is_read_in_a_few_seconds() -> None:
    for value in ("[" + "1," * 500_000 + "1]", "[" + "[]," * 330_000 + "1]", "[" + "a: 1," * 200_000 + "b]"):
        started = time.process_time()
        read_openapi(f"{HEAD}paths: {{}}\nx-a: {value}\n".encode())
        assert time.process_time() - started < 8


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
    schemas["S200"] = {"allOf": [{}]}
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
