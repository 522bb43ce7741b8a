"""The OpenAPI document is valid, and reads well for who has only it."""

from collections import Counter
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_operation_has_a_name_a_summary_and_its_access(document: dict[str, Any]) -> None:
    names = Counter(operation["operationId"] for _place, operation in operations(document))
    assert [name for name, count in names.items() if count > 1] == []
    for place, operation in operations(document):
        assert operation["summary"], place
        assert "security" in operation, place
        if operation["security"] and {} not in operation["security"]:
            assert "Needs a token with the scope" in operation["description"], place
            assert all(scopes for one in operation["security"] for scopes in one.values()), place


def test_every_group_has_a_name_that_people_read(document: dict[str, Any]) -> None:
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = {tag for _place, operation in operations(document) for tag in operation["tags"]}
    assert used == set(described)
    assert all(name[0].isupper() and "_" not in name and described[name] for name in described)


def test_every_parameter_says_what_it_takes(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        listed = [
            *item.get("parameters", []),
            *(p for _m, o in operations({"paths": {path: item}}) for p in o.get("parameters", [])),
        ]
        for parameter in listed:
            bare = set(parameter["schema"]) <= {"type"} and "example" not in parameter
            assert not bare or parameter.get("description"), f"{path}: {parameter['name']}"


def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    for place, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["description"], f"{place} {status}"
            if status[0] in "45":
                assert list(answer["content"]) == ["application/problem+json"], f"{place} {status}"
