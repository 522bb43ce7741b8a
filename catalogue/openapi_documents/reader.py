"""An interface document read from bytes: what it says, what is to be warned of, and what is published of it."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from catalogue.openapi_documents.findings import DocumentRefused, Fault, Finding, Place, shortened
from catalogue.openapi_documents.json_text import json_lines, read_json
from catalogue.openapi_documents.openapi_tables import STANDARDS
from catalogue.openapi_documents.paths import check_paths, list_operations, one_line_of, warn_of_names
from catalogue.openapi_documents.references import (
    SECTIONS,
    SWAGGER_SECTIONS,
    Resolver,
    check_references,
    resolver,
)
from catalogue.openapi_documents.shapes import Walk, in_json
from catalogue.openapi_documents.swagger import converted
from catalogue.openapi_documents.swagger_tables import SWAGGER
from catalogue.openapi_documents.yaml_text import read_yaml, yaml_lines

MAX_DOCUMENT_BYTES = 1024 * 1024
MAX_LISTED = 500
JSON_TYPE, YAML_TYPE = "application/json", "application/yaml"
JSON_BEGINNING = re.compile(r'\s*(\{\s*("|\}|$)|\[\s*["{\]\[0-9-])')
"""JSON objects begin like this; `{a: 1}` is YAML."""
VERSION = re.compile(r"(3\.[012])\.[0-9]+(-.+)?")
Lines = Callable[[str, Collection[Place]], dict[Place, int]]


@dataclass(frozen=True)
class Original:
    """A document as it came, where another one is published instead."""

    text: str
    media_type: str


@dataclass(frozen=True)
class Document:
    """An interface document that was found sound: what is published of it, and what of it is listed on pages."""

    text: str
    media_type: str
    title: str
    standard: str
    """By which standard it was written, such as `OpenAPI 3.0.3` or `Swagger 2.0`."""
    operations: tuple[dict[str, str], ...]
    """The first of them."""
    operation_count: int
    warnings: tuple[Finding, ...] = ()
    original: Original | None = None
    """The document as it came, if it was converted."""


@dataclass
class _Source:
    """The text that is being read, and how lines are found in it."""

    text: str
    lines: Lines
    noted: list[tuple[str, int]]
    """Warnings of the text itself, with their lines."""


def read_openapi(content: bytes) -> Document:
    """An OpenAPI 3.0, 3.1, 3.2 or Swagger 2.0 document in JSON or YAML.

    Raises DocumentRefused with the line and the reason. Takes a few seconds at most, whatever it is.
    """
    source = _Source("", lambda _text, _places: {}, [])
    try:
        source.text = _decoded(content)
        return _document(source)
    except Fault as fault:
        raise DocumentRefused(fault, fault.line or _line(source, fault.place)) from fault


def _decoded(content: bytes) -> str:
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Fault("too-large")
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        # YAML 1.2.2 5.2: UTF-16 is told by its byte order mark; some editors call it "Unicode".
        text = content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Fault("not-text", line=content[: error.start].count(b"\n") + 1) from None
    if "\x00" in text:
        raise Fault("null-character", line=text.count("\n", 0, text.index("\x00")) + 1)
    if not text.strip():
        raise Fault("empty")
    return text


def _document(source: _Source) -> Document:
    is_json = JSON_BEGINNING.match(source.text) is not None
    source.lines = json_lines if is_json else yaml_lines
    data = read_json(source.text) if is_json else read_yaml(source.text, lambda *note: source.noted.append(note))
    version = _version(data)
    walk = Walk(is_lenient=version == "2.0")
    find = _checked(data, version, walk)
    warnings = _warnings(source, walk)
    text, media_type, original = source.text, JSON_TYPE if is_json else YAML_TYPE, None
    if version == "2.0":
        original = Original(text, media_type)
        published = converted(data, find)
        text, media_type = json.dumps(published, ensure_ascii=False, indent=2), JSON_TYPE
        warnings = (Finding("converted", 1), *warnings)
    # A text that JSON can spell and no encoding takes: half of a surrogate pair.
    text = text.encode(errors="replace").decode()
    rows = list(list_operations(data, find))
    return Document(
        text=text,
        media_type=media_type,
        title=one_line_of(data["info"]["title"], 200),
        standard="Swagger 2.0" if version == "2.0" else f"OpenAPI {data['openapi']}",
        operations=tuple(rows[:MAX_LISTED]),
        operation_count=len(rows),
        warnings=warnings,
        original=original,
    )


def _version(data: Any) -> str:
    """The two numbers that count: 2.0, 3.0, 3.1 or 3.2."""
    if not isinstance(data, dict) or not {"openapi", "swagger"} & data.keys():
        raise Fault("not-openapi")
    # YAML reads `swagger: 2.0` without quotes as a number.
    if "openapi" not in data and str(data["swagger"]) == "2.0":
        return "2.0"
    name = "openapi" if "openapi" in data else "swagger"
    given = data[name]
    if isinstance(given, str) and (match := VERSION.fullmatch(given)) and name == "openapi":
        return match[1]
    is_shortened = name == "openapi" and str(given) in STANDARDS
    raise Fault("version-form" if is_shortened else "unknown-version", (name,), version=in_json(given))


def _checked(data: dict[str, Any], version: str, walk: Walk) -> Resolver:
    """Hold the document against its standard. Raises Fault."""
    is_swagger = version == "2.0"
    kinds = SWAGGER if is_swagger else STANDARDS[version]
    kinds["Swagger" if is_swagger else "OpenAPI"](walk, data)
    find = resolver(data, walk)
    check_references(walk, find, SWAGGER_SECTIONS if is_swagger else SECTIONS, kinds)
    check_paths(data, find, walk)
    schemes = data.get("securityDefinitions" if is_swagger else "components", {})
    warn_of_names(data, find, walk, schemes if is_swagger else schemes.get("securitySchemes", {}))
    return find


def _warnings(source: _Source, walk: Walk) -> tuple[Finding, ...]:
    """The warnings in the order of the lines, each code no more often than people would read it."""
    lines = source.lines(source.text, {place[:end] for _code, place, _values in walk.warnings for end in _ends(place)})
    findings = [Finding(code, line) for code, line in source.noted[:1]]
    for code, place, values in walk.warnings:
        line = _longest(lines, place)
        findings.append(Finding(code, line, place, {name: shortened(value) for name, value in values.items()}))
    findings.sort(key=lambda one: one.line)
    if walk.further_warnings:
        findings.append(Finding("further", 1, values={"count": str(walk.further_warnings)}))
    return tuple(findings)


def _line(source: _Source, place: Place) -> int:
    return _longest(source.lines(source.text, {place[:end] for end in _ends(place)}), place) if place else 1


def _ends(place: Place) -> range:
    return range(1, len(place) + 1)


def _longest(lines: Mapping[Place, int], place: Place) -> int:
    """The line of the place, or of the last part of it that stands in the text: an alias stands for the rest."""
    return next((lines[place[:end]] for end in reversed(_ends(place)) if place[:end] in lines), 1)
