"""Shapes that documents have in the wild, in every version and format, and what becomes of each (`shapes.yaml`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from builders import official_schemas as official

from catalogue.openapi_documents.findings import DocumentRefused, Fault
from catalogue.openapi_documents.reader import read_openapi
from catalogue.openapi_documents.yaml_text import read_yaml

SHAPES: list[dict[str, Any]] = read_yaml((Path(__file__).parent / "shapes.yaml").read_text(), lambda *_: None)
IN_THE_WILD = sorted((Path(__file__).parent / "in_the_wild").glob("*.yaml"))
VERSIONS = ("2.0", "3.0", "3.1", "3.2")


def as_yaml(document: Any) -> str:
    return yaml.dump(document, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)


FORMATS: dict[str, Callable[[Any], bytes]] = {
    "YAML": lambda document: as_yaml(document).encode(),
    "YAML of Windows": lambda document: as_yaml(document).replace("\n", "\r\n").encode("utf-8-sig"),
    "YAML in UTF-16": lambda document: as_yaml(document).encode("utf-16"),
    "JSON": lambda document: json.dumps(document, indent=2, ensure_ascii=False).encode(),
    "JSON in one line": lambda document: json.dumps(document, separators=(",", ":")).encode(),
}


def with_shape(shape: dict[str, Any], version: str) -> dict[str, Any]:
    """A small document of the version that has the shape in it."""
    is_swagger = version == "2.0"
    operation: dict[str, Any] = {"responses": {"200": {"description": "d"}}}
    named = {"operationId": "one", **operation}
    schemas = {"Known": {"type": "object", "properties": {"a": {"type": "string"}}}}
    document: dict[str, Any] = {
        **({"swagger": "2.0"} if is_swagger else {"openapi": f"{version}.0"}),
        "info": {"title": "A", "version": "1"},
        "paths": {"/a": {"get": operation}},
        **({"definitions": schemas} if is_swagger else {"components": {"schemas": schemas}}),
    }
    written = json.dumps(shape.get("put"))
    written = written.replace('"OPERATION"', json.dumps(operation)).replace('"NAMED"', json.dumps(named))
    put = json.loads(written.replace("#S/", "#/definitions/" if is_swagger else "#/components/schemas/"))
    places: dict[str, Any] = {
        "root": document,
        "info": document["info"],
        "paths": document["paths"],
        "item": document["paths"]["/a"],
        "operation": operation,
        "responses": operation["responses"],
        "schemas": schemas,
        "parameters": operation,
        "schema": schemas,
    }
    if "drop" in shape:
        del places[shape["at"]][shape["drop"]]
    else:
        places[shape["at"]].update({"parameters": {"parameters": put}, "schema": {"Shape": put}}.get(shape["at"], put))
    return deepcopy(document)


def outcome(content: bytes) -> str:
    try:
        warnings = read_openapi(content).warnings
    except DocumentRefused as refused:
        return f"refuse {cast(Fault, refused.__cause__).code}"
    codes = sorted({one.code for one in warnings if one.code != "converted"})
    return f"warn {' '.join(codes)}" if codes else "ok"


def versions_of(shape: dict[str, Any]) -> tuple[str, ...]:
    return VERSIONS if isinstance(shape["expect"], str) else tuple(shape["expect"])


CASES = [(shape, version) for shape in SHAPES for version in versions_of(shape)]


@pytest.mark.parametrize(("shape", "version"), CASES, ids=lambda one: one if isinstance(one, str) else one["shape"])
def test_each_shape_has_its_outcome_in_every_format(shape: dict[str, Any], version: str) -> None:
    expected = shape["expect"] if isinstance(shape["expect"], str) else shape["expect"][version]
    document = with_shape(shape, version)
    assert {name: outcome(write(document)) for name, write in FORMATS.items()} == dict.fromkeys(FORMATS, expected)


def test_there_are_a_thousand_of_them() -> None:
    assert len(CASES) * len(FORMATS) > 1_500


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["shape"])
def test_what_comes_of_swagger_is_sound_openapi(shape: dict[str, Any]) -> None:
    content = json.dumps(with_shape(shape, "2.0")).encode()
    if outcome(content).startswith("refuse") or "2.0" not in versions_of(shape):
        return
    document = read_openapi(content)
    assert official.complaint("3.0", json.loads(document.text)) == ""


@pytest.mark.parametrize("path", IN_THE_WILD, ids=lambda path: path.stem)
def test_documents_as_generators_write_them(path: Path) -> None:
    """The first line of each says what becomes of it, and how many operations it has."""
    text = path.read_text()
    expected, _semicolon, operations = text.splitlines()[0].removeprefix("# ").partition("; operations: ")
    data = read_yaml(text, lambda *_: None)
    assert {name: outcome(write(data)) for name, write in FORMATS.items()} == dict.fromkeys(FORMATS, expected)
    document = read_openapi(text.encode())
    assert document.operation_count == int(operations)
    if document.original is not None:
        assert official.complaint("3.0", json.loads(document.text)) == ""
