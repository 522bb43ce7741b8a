"""Words on documents: in the reader's language, with cause and cure, and with no words of a library."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from catalogue.openapi_documents.findings import KINDS, SENTENCES, DocumentRefused, Finding
from catalogue.openapi_documents.reader import read_openapi

HEAD = "openapi: 3.0.3\ninfo: {title: A, version: '1'}\n"
SOURCE = Path(__file__).parents[3] / "catalogue" / "openapi_documents"
REFUSED = [
    HEAD + "paths: {a: {}}",
    HEAD + "paths: {/a: {get: {responses: {'200': {}}}}}",
    HEAD + "paths: 1",
    HEAD + "paths: {/a: {get: {responses: {'200': {description: 2026-11-30, x: 1}}}}}",
    HEAD + "paths: {}\ncomponents: {schemas: {A: {type: object, required: true}}}",
    HEAD + "paths: {}\ncomponents: {schemas: {A: {type: float}}}",
    HEAD + "paths: {/a: [\n",
    '{"openapi": "3.0.3",',
    "openapi: 5",
]


def told(app: Flask, content: str, language: str) -> str:
    with app.test_request_context(headers={"Accept-Language": language}):
        with pytest.raises(DocumentRefused) as refused:
            read_openapi(content.encode())
        return str(refused.value.detail)


@pytest.mark.parametrize("content", REFUSED)
def test_every_refusal_is_in_the_readers_language(app: Flask, content: str) -> None:
    spanish, english = told(app, content, "es-CL"), told(app, content, "en")
    assert spanish.startswith("Línea ")
    assert english.startswith("Line ")
    libraries = r"does not match|is not of type|regexes|datetime|Expecting|delimiter|did not find|expected <|None"
    assert not re.search(libraries, spanish + english)


def test_every_sentence_exists_in_both_languages(app: Flask) -> None:
    def all_of_them(language: str) -> dict[str, str]:
        with app.test_request_context(headers={"Accept-Language": language}):
            return {name: str(one) for name, one in [*SENTENCES.items(), *KINDS.items()]}

    spanish, english = all_of_them("es"), all_of_them("en")
    assert [name for name in english if spanish[name] == english[name]] == []
    holes = {name: set(re.findall(r"%\((\w+)\)s", one)) for name, one in english.items()}
    assert holes == {name: set(re.findall(r"%\((\w+)\)s", one)) for name, one in spanish.items()}


def test_every_code_that_is_used_has_its_sentence_and_every_sentence_is_used() -> None:
    source = "".join(path.read_text() for path in SOURCE.glob("*.py") if path.name != "findings.py")
    assert [code for code in SENTENCES if f'"{code}"' not in source] == []
    used = set(re.findall(r'(?:Fault|fail|warn|Finding)\(\s*"([a-z0-9.-]+)"', source))
    assert used <= SENTENCES.keys()


def test_a_warning_is_told_in_the_language_of_who_reads_it(app: Flask) -> None:
    text = HEAD + "paths: {}\ncomponents:\n  schemas:\n    A: {type: string,\n      pattern: '['}\n"
    (warning,) = read_openapi(text.encode()).warnings
    stored = Finding.from_json(json.loads(json.dumps(warning.as_json())))
    assert (stored.line, stored.pointer) == (7, "/components/schemas/A/pattern")
    with app.test_request_context(headers={"Accept-Language": "es"}):
        assert "no se puede leer como expresión regular" in str(stored.sentence)


def test_many_warnings_are_counted_rather_than_listed() -> None:
    schemas = {f"A{n}": {"type": "array"} for n in range(300)}
    document = {"openapi": "3.0.3", "info": {"title": "A", "version": "1"}, "paths": {}}
    warnings = read_openapi(json.dumps({**document, "components": {"schemas": schemas}}).encode()).warnings
    assert len(warnings) == 101
    assert (warnings[-1].code, warnings[-1].values) == ("further", {"count": "200"})


@pytest.mark.parametrize("write", [lambda one: json.dumps(one, indent=1), yaml.safe_dump])
def test_the_line_is_that_of_the_fault(app: Flask, write: Any) -> None:
    paths = {f"/a{n}": {"get": {"responses": {"200": {"description": "x"}}}} for n in range(30)}
    paths["/a17"]["get"]["responses"]["200"]["description"] = 17  # type: ignore[assignment]
    content = write({"openapi": "3.0.3", "info": {"title": "A", "version": "1"}, "paths": paths})
    line = int(re.findall(r"\d+", told(app, content, "en"))[0])
    assert re.fullmatch(r'\s*"?description"?: 17', content.splitlines()[line - 1])
