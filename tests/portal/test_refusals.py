"""Every refusal of every schema of the interface is ours, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import UUID

import marshmallow as ma
import pytest
from builders.catalogue import a_caller, a_machine
from builders.identity import an_agency
from flask import Flask
from flask.testing import FlaskClient

from kernel.api import fields, validators
from kernel.api.api_fields import Schema
from kernel.jobs.access import MACHINE_SCOPES, AgencyRef

BLOCKS = ("kernel", "portal", "sandbox", "identity", "catalogue", "interoperability")
WRONG: tuple[Any, ...] = (
    None,
    "",
    " ",
    "x",
    "\x00",
    "\ud800",
    "a/b",
    "2026-13-45",
    "9" * 400,
    "x" * 20_000,
    -1,
    0,
    1.5,
    10**30,
    True,
    [],
    [None],
    ["x"],
    [[]],
    [{}],
    ["x"] * 400,
    {},
    {"nobody-knows": 1},
)
PYTHON = re.compile(r"<class|datetime\.|\bNone\b|regex|Traceback|\bobject at\b|[\[({]'|u'|dict\b|Error\b|marshmallow")


def schemas(below: type[ma.Schema] = ma.Schema) -> Iterator[type[ma.Schema]]:
    """Every schema of ours."""
    for schema in below.__subclasses__():
        if schema.__module__.partition(".")[0] in BLOCKS:
            yield schema
        yield from schemas(schema)


def inner_fields(field: ma.fields.Field[Any]) -> Iterator[ma.fields.Field[Any]]:
    yield field
    inner = getattr(field, "inner", None) or getattr(field, "value_field", None)
    if inner is not None:
        yield from inner_fields(inner)


def refusals(schema: type[ma.Schema]) -> Iterator[str]:
    """The refusals of everything wrong that can be sent in each place."""
    known = schema()
    whole: list[Any] = ["x", [], None, {}, {"nobody-knows": 1}]
    whole += [{field.data_key or name: wrong} for name, field in known.fields.items() for wrong in WRONG]
    for given in whole:
        yield from sentences(known.validate(given))


def sentences(messages: Any) -> Iterator[str]:
    if isinstance(messages, dict):
        for inner in messages.values():
            yield from sentences(inner)
    else:
        yield from (str(message) for message in messages)


def test_every_refusal_of_every_schema_is_told_in_spanish_and_in_english(app: Flask) -> None:
    told: dict[str, dict[str, list[str]]] = {}
    for language in ("es", "en"):
        with app.test_request_context(headers={"Accept-Language": language}):
            told[language] = {f"{one.__module__}.{one.__name__}": list(refusals(one)) for one in schemas()}
    assert len(told["es"]) > 30
    untranslated = {
        (name, spanish)
        for name in told["es"]
        for spanish, english in zip(told["es"][name], told["en"][name], strict=True)
        if spanish == english or not is_sentence(spanish) or not is_sentence(english)
    }
    assert untranslated == set()


def is_sentence(message: str) -> bool:
    return message.endswith(".") and not PYTHON.search(message)


def test_fields_and_validators_are_those_with_sentences_of_our_own(app: Flask) -> None:
    strange = set()
    for schema in schemas():
        if not issubclass(schema, Schema):
            strange.add(f"{schema}: derive it from kernel.api.api_fields.Schema")
        for outer in schema().fields.values():
            for field in inner_fields(outer):
                if not isinstance(field, fields.Explained):
                    strange.add(f"{schema}.{field.name}: take it from kernel.api.fields")
                for check in field.validators:
                    if isinstance(check, ma.validate.Validator) and check.__class__.__module__ != validators.__name__:
                        strange.add(f"{schema}.{field.name}: take {check} from kernel.api.validators")
    assert strange == set()


@pytest.mark.parametrize(("language", "said"), [("es-CL", "Falta este dato."), ("en-US", "This is required.")])
def test_the_interface_answers_in_the_language_of_the_program(app: Flask, language: str, said: str) -> None:
    client = app.test_client()
    answer = client.get("/api/v1/evidence/consistency", headers={"Accept-Language": language})
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"] == {"from": [said], "to": [said]}
    assert "Accept-Language" in answer.headers["Vary"]


ONE_OF_EACH = {
    "code": "SRV-000001",
    "version": "v1",
    "client_id": "0" * 32,
    "secret": "0" * 16,
    "thumbprint": "x" * 43,
    "subscription_id": str(UUID(int=0)),
    "delivery_id": str(UUID(int=0)),
}


@pytest.fixture
def machine(app: Flask) -> FlaskClient:
    """A program that may do everything."""
    with app.app_context():
        an_agency("AE001")
        scopes = MACHINE_SCOPES.of(app)
    return a_caller(app).acting(a_machine(AgencyRef("AE001", "Agency"), *scopes))


def paths_of_programs(machine: FlaskClient) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations that a program may call for itself; a person's own want a person's token."""
    paths = machine.get("/api/v1/openapi.json").get_json()["paths"]
    return ((path, item) for path, item in paths.items() if not path.startswith("/api/v1/account/"))


def operations_with_json(machine: FlaskClient) -> Iterator[tuple[str, str]]:
    for path, item in paths_of_programs(machine):
        for method, operation in item.items():
            if method != "parameters" and "application/json" in operation.get("requestBody", {}).get("content", {}):
                assert "415" in operation["responses"], (method, path)
                yield method, path.format(**ONE_OF_EACH)


def test_json_that_comes_under_another_name_is_refused_by_its_type(machine: FlaskClient) -> None:
    asked = list(operations_with_json(machine))
    assert len(asked) > 5
    for (method, path), kind in product(asked, ("text/plain", None, "application/x-www-form-urlencoded")):
        answer = machine.open(path, method=method, data=b'{"name": "x"}', content_type=kind)
        assert answer.status_code == 415, (method, path, kind)
        assert answer.headers["Accept"] == "application/json"
        assert "application/json" in answer.get_json()["detail"]


def test_a_media_type_has_no_case_and_may_have_parameters(machine: FlaskClient) -> None:
    for (method, path), kind in product(
        operations_with_json(machine), ("Application/JSON", "APPLICATION/JSON; Charset=UTF-8", "application/json ;x=y")
    ):
        answer = machine.open(path, method=method, data=b'{"nobody-knows": 1}', content_type=kind)
        assert answer.status_code in (404, 422), (method, path, kind, answer.text)


def test_what_has_no_body_is_not_asked_for_its_type(machine: FlaskClient) -> None:
    answer = machine.post("/api/v1/services/SRV-000001/versions/v1/submission", content_type="text/plain")
    assert answer.status_code == 404
    answer = machine.post("/api/v1/services", content_type="text/plain")
    assert answer.status_code == 422
    assert answer.get_json()["errors"]["name"] == ["Falta este dato."]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"name": }', "El cuerpo no es JSON: revise la línea 1, columna 10."),
        (b'{"name": "\xff"}', "El cuerpo no es texto en UTF-8."),
        (b"[" * 100_000, "El JSON del cuerpo tiene demasiados niveles."),
    ],
)
def test_json_that_cannot_be_read_is_told_where(machine: FlaskClient, body: bytes, said: str) -> None:
    answer = machine.post("/api/v1/services", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.get_json()["detail"] == said


def test_a_box_left_empty_in_a_form_asks_for_everything(machine: FlaskClient) -> None:
    lists = 0
    for path, item in paths_of_programs(machine):
        queries = [one for one in item.get("get", {}).get("parameters", ()) if one["in"] == "query"]
        optional = "&".join(f"{one['name']}=" for one in queries if not one.get("required"))
        if optional and "{" not in path:
            assert all(one["allowEmptyValue"] for one in queries if not one.get("required")), path
            answer = machine.get(f"{path}?{optional}")
            assert (answer.status_code, answer.get_json()["items"]) == (200, machine.get(path).get_json()["items"])
            lists += 1
    assert lists > 3


@pytest.mark.parametrize("path", ["token", "introspect", "revoke", "par", "device_authorization"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_programs_of_oauth_learn_that_parameters_are_a_form(app: Flask, path: str, kind: str | None) -> None:
    answer = app.test_client().post(f"/openid/{path}", data=b'{"grant_type": "x"}', content_type=kind)
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_request"
    assert "application/x-www-form-urlencoded" in answer.get_json()["error_description"]
