"""Our tables of the standards say what the official JSON Schemas say: held against them, one change after the other."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from builders import official_schemas as official

from catalogue.openapi_documents.findings import Fault
from catalogue.openapi_documents.openapi_tables import STANDARDS
from catalogue.openapi_documents.references import SECTIONS, resolver
from catalogue.openapi_documents.shapes import Walk
from catalogue.openapi_documents.swagger import converted
from catalogue.openapi_documents.swagger_tables import SWAGGER
from catalogue.openapi_documents.yaml_text import read_yaml

COMPLETE = Path(__file__).parent / "complete"
WRONG: tuple[Any, ...] = (None, True, -1, 1.5, "text", [], ["a", "a"], {}, {"$ref": "#/x"}, {"$ref": 1}, [{}])
Steps = tuple[Any, ...]

LEFT_TO_THE_READER = ("openapi", "swagger")
ON_PURPOSE = {
    # The schema passes over names that the text forbids, with all that stands below them; we warn of the name.
    "3.0": tuple(f"components/{section} reference" for section in SECTIONS.values()),
    # Siblings of a reference are "ignored" in the text and refused by the schema.
    "3.1": ("*/unknown beside $ref", "*/links/next/parameters*"),
    # The text has "any value or expression" as a parameter of a link, the schema text only.
    "3.2": ("*/links/next/parameters*",),
    # Lists that name something twice say the same as if it stood there once, and empty ones nothing.
    "2.0": ("*/unknown beside $ref", "*twice", "*/type empty", "*/required empty", "*/enum empty", "*/items empty"),
}
SORTS = {
    "['a', 'a']": " twice",
    "[]": " empty",
    "{'$ref': '#/x'}": " reference",
    "{'$ref': 1}": " reference",
}


def complete(version: str) -> dict[str, Any]:
    document: dict[str, Any] = read_yaml((COMPLETE / f"{version}.yaml").read_text(), lambda *_: None)
    return document


def complaint(version: str, document: dict[str, Any]) -> Fault | None:
    kinds = SWAGGER if version == "2.0" else STANDARDS[version]
    try:
        kinds["Swagger" if version == "2.0" else "OpenAPI"](Walk(), document)
    except Fault as fault:
        return fault
    return None


def changed(node: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Every change of one thing, made while it is looked at and taken back afterwards."""
    inner = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, value in inner:
        for wrong in WRONG:
            node[key] = wrong
            yield (*steps, key), f"{wrong!r}"
        node[key] = value
        if isinstance(node, dict):
            del node[key]
            yield (*steps, key), "left out"
            # Back where it was: what comes first is complained of first.
            rest = {name: node.pop(name) for name in list(node)}
            node.update({name: value if name == key else rest[name] for name, _value in inner})
        yield from changed(value, (*steps, key))
    if isinstance(node, dict) and "unknown" not in node:
        node["unknown"] = 1
        yield (*steps, "unknown beside $ref" if "$ref" in node else "unknown"), "added"
        del node["unknown"]


def is_on_purpose(version: str, steps: Steps, what: str) -> bool:
    place = "/".join(str(step) for step in steps) + SORTS.get(what, "")
    return any(fnmatch(place, pattern) for pattern in ON_PURPOSE[version])


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1", "3.2"])
def test_a_document_with_everything_in_it_is_sound(version: str) -> None:
    document = complete(version)
    assert official.complaint(version, document) == ""
    assert complaint(version, document) is None


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1", "3.2"])
def test_what_the_official_schema_refuses_is_refused_and_nothing_else(version: str) -> None:
    document, differing, count = complete(version), [], 0
    for steps, what in changed(document):
        if steps[0] in LEFT_TO_THE_READER:
            continue
        count += 1
        is_allowed, fault = official.allows(version, document), complaint(version, document)
        if is_allowed != (fault is None) and not is_on_purpose(version, steps, what):
            theirs = official.complaint(version, document)[:200]
            differing.append(f"{'/'.join(map(str, steps))} {what}: {theirs or 'allowed'} | {fault and fault.code}")
    assert count > 2_500
    assert differing == []


def test_swagger_with_everything_in_it_becomes_sound_openapi() -> None:
    document, walk = complete("2.0"), Walk(is_lenient=True)
    SWAGGER["Swagger"](walk, document)
    published = converted(document, resolver(document, walk))
    assert official.complaint("3.0", published) == ""


def test_whatever_is_changed_in_swagger_what_comes_out_is_sound_openapi() -> None:
    document, unsound = complete("2.0"), []
    for steps, what in changed(document):
        walk = Walk(is_lenient=True)
        try:
            SWAGGER["Swagger"](walk, document)
            published = converted(document, resolver(document, walk))
        except Fault:
            continue
        if not official.allows("3.0", published):
            unsound.append(f"{'/'.join(map(str, steps))} {what}: {official.complaint('3.0', published)[:200]}")
    assert unsound == []
