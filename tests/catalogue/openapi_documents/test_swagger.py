"""Swagger 2.0 brought to OpenAPI 3.0: each thing that is said otherwise there."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from builders import official_schemas as official
from flask import Flask

from catalogue.openapi_documents.findings import DocumentRefused
from catalogue.openapi_documents.reader import MAX_DOCUMENT_BYTES, read_openapi

OK = {"responses": {"200": {"description": "OK"}}}


def converted(**members: Any) -> dict[str, Any]:
    """The sound OpenAPI 3.0 that is published of a Swagger 2.0 document."""
    document = {"swagger": "2.0", "info": {"title": "A", "version": "1"}, "paths": {}, **members}
    published: dict[str, Any] = json.loads(read_openapi(json.dumps(document).encode()).text)
    assert official.complaint("3.0", published) == ""
    assert published["openapi"] == "3.0.3"
    return published


def operation(parameters: list[Any], **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = converted(paths={"/a": {"post": {**OK, "parameters": parameters, **members}}})
    post: dict[str, Any] = made["paths"]["/a"]["post"]
    return post


def schema(node: dict[str, Any], **definitions: Any) -> dict[str, Any]:
    made: dict[str, Any] = converted(definitions={"Shape": node, **definitions})["components"]["schemas"]["Shape"]
    return made


@pytest.mark.parametrize(
    ("members", "servers"),
    [
        ({}, None),
        ({"host": "a.example"}, ["//a.example"]),
        ({"basePath": "/v1/"}, ["/v1"]),
        ({"host": "a.example", "basePath": "/"}, ["//a.example"]),
        ({"host": "a.example:8080", "basePath": "/v1", "schemes": ["https", "http"]}, None),
        ({"schemes": ["https"], "basePath": "/v1"}, ["/v1"]),
    ],
)
def test_host_path_and_schemes_become_servers(members: dict[str, Any], servers: list[str] | None) -> None:
    if members.get("host") == "a.example:8080":
        servers = ["https://a.example:8080/v1", "http://a.example:8080/v1"]
    assert [one["url"] for one in converted(**members).get("servers", [])] == (servers or [])


def test_a_template_in_the_host_becomes_a_variable() -> None:
    (server,) = converted(host="{region}.a.example", schemes=["https"])["servers"]
    assert server == {"url": "https://{region}.a.example", "variables": {"region": {"default": "region"}}}


def test_a_body_becomes_the_content_of_each_type_that_is_consumed() -> None:
    body = {"name": "b", "in": "body", "required": True, "description": "d", "schema": {"type": "string"}}
    made = operation([body], consumes=["application/json", "text/csv"])["requestBody"]
    content = {"schema": {"type": "string"}}
    assert made == {
        "required": True,
        "description": "d",
        "content": {"application/json": content, "text/csv": content},
    }
    assert list(operation([body])["requestBody"]["content"]) == ["*/*"]


def test_form_fields_become_one_body() -> None:
    fields = [
        {"name": "a", "in": "formData", "type": "string", "required": True},
        {"name": "l", "in": "formData", "type": "array", "items": {"type": "string"}, "collectionFormat": "pipes"},
    ]
    assert operation(fields)["requestBody"] == {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"a": {"type": "string"}, "l": {"type": "array", "items": {"type": "string"}}},
                    "required": ["a"],
                },
                "encoding": {"l": {"style": "pipeDelimited", "explode": False}},
            }
        },
    }


def test_a_file_goes_as_multipart_whatever_is_consumed() -> None:
    made = operation([{"name": "f", "in": "formData", "type": "file"}], consumes=["application/json"])
    assert made["requestBody"]["content"] == {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"f": {"type": "string", "format": "binary"}}}
        }
    }


@pytest.mark.parametrize(
    ("given", "style"),
    [
        ("csv", {"style": "form", "explode": False}),
        (None, {"style": "form", "explode": False}),
        ("multi", {"style": "form", "explode": True}),
        ("ssv", {"style": "spaceDelimited", "explode": False}),
        ("pipes", {"style": "pipeDelimited", "explode": False}),
    ],
)
def test_lists_in_queries_are_written_as_before(given: str | None, style: dict[str, Any]) -> None:
    listed = {"name": "q", "in": "query", "type": "array", "items": {"type": "string"}}
    (made,) = operation([{**listed, **({"collectionFormat": given} if given else {})}])["parameters"]
    assert made == {"name": "q", "in": "query", **style, "schema": {"type": "array", "items": {"type": "string"}}}


def test_what_is_said_of_a_value_becomes_its_schema() -> None:
    given = {"name": "q", "in": "query", "type": "integer", "format": "int32", "minimum": 1, "default": 2, "enum": [2]}
    (made,) = operation([{**given, "x-nullable": True, "x-example": 2, "x-more": 1, "allowEmptyValue": True}])[
        "parameters"
    ]
    value = {"type": "integer", "format": "int32", "minimum": 1, "default": 2, "enum": [2], "nullable": True}
    assert made == {"name": "q", "in": "query", "allowEmptyValue": True, "example": 2, "x-more": 1, "schema": value}


def test_a_response_has_content_headers_and_examples() -> None:
    response = {
        "description": "d",
        "schema": {"type": "file"},
        "headers": {"X-A": {"type": "string", "description": "h"}},
        "examples": {"text/plain": "a", "image/png": "b"},
    }
    made = converted(produces=["text/plain"], paths={"/a": {"get": {"responses": {"200": response}}}})
    assert made["paths"]["/a"]["get"]["responses"]["200"] == {
        "description": "d",
        "headers": {"X-A": {"description": "h", "schema": {"type": "string"}}},
        "content": {
            "text/plain": {"schema": {"type": "string", "format": "binary"}, "example": "a"},
            "image/png": {"example": "b"},
        },
    }


def test_shared_parts_stay_shared() -> None:
    made = converted(
        consumes=["application/json"],
        parameters={
            "q": {"name": "q", "in": "query", "type": "string"},
            "b": {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/A"}},
        },
        responses={"r": {"description": "d", "schema": {"$ref": "#/definitions/A"}}},
        definitions={"A": {"type": "object"}},
        paths={
            "/a": {
                "parameters": [{"$ref": "#/parameters/q"}],
                "post": {"parameters": [{"$ref": "#/parameters/b"}], "responses": {"200": {"$ref": "#/responses/r"}}},
                "put": {
                    "consumes": ["text/csv"],
                    "parameters": [{"$ref": "#/parameters/b"}],
                    "responses": {"200": {"$ref": "#/responses/r"}},
                },
            }
        },
    )
    item, components = made["paths"]["/a"], made["components"]
    assert item["parameters"] == [{"$ref": "#/components/parameters/q"}]
    assert item["post"]["requestBody"] == {"$ref": "#/components/requestBodies/b"}
    assert item["put"]["requestBody"] == {"$ref": "#/components/requestBodies/b_2"}
    assert item["put"]["responses"]["200"] == {"$ref": "#/components/responses/r"}
    assert list(components["requestBodies"]["b_2"]["content"]) == ["text/csv"]
    assert components["responses"]["r"]["content"] == {"*/*": {"schema": {"$ref": "#/components/schemas/A"}}}


def test_a_body_of_the_path_is_that_of_its_operations() -> None:
    common = [{"name": "b", "in": "body", "schema": {"type": "object"}}]
    own = [{"name": "b", "in": "body", "schema": {"type": "string"}}]
    made = converted(paths={"/a": {"parameters": common, "post": OK, "put": {**OK, "parameters": own}}})["paths"]["/a"]
    assert "parameters" not in made
    assert made["post"]["requestBody"]["content"]["*/*"]["schema"] == {"type": "object"}
    assert made["put"]["requestBody"]["content"]["*/*"]["schema"] == {"type": "string"}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "basic"}, {"type": "http", "scheme": "basic"}),
        ({"type": "apiKey", "name": "k", "in": "query"}, {"type": "apiKey", "name": "k", "in": "query"}),
        (
            {"type": "oauth2", "flow": "accessCode", "authorizationUrl": "a", "tokenUrl": "t", "scopes": {"r": "R"}},
            {"authorizationCode": {"authorizationUrl": "a", "tokenUrl": "t", "scopes": {"r": "R"}}},
        ),
        (
            {"type": "oauth2", "flow": "application", "tokenUrl": "t"},
            {"clientCredentials": {"tokenUrl": "t", "scopes": {}}},
        ),
        (
            {"type": "oauth2", "flow": "implicit", "authorizationUrl": "a", "scopes": {"r": "R", "x-a": 1}},
            {"implicit": {"authorizationUrl": "a", "scopes": {"r": "R"}}},
        ),
        (
            {"type": "oauth2", "flow": "password", "tokenUrl": "t", "scopes": {}},
            {"password": {"tokenUrl": "t", "scopes": {}}},
        ),
    ],
)
def test_security_schemes_have_their_flows(given: dict[str, Any], made: dict[str, Any]) -> None:
    if given.get("flow") == "implicit":
        given["scopes"].pop("x-a")
    found = converted(securityDefinitions={"s": given}, security=[{"s": []}])
    assert found["components"]["securitySchemes"]["s"] == (
        made if "type" in made else {"type": "oauth2", "flows": made}
    )
    assert found["security"] == [{"s": []}]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "string", "x-nullable": True}, {"type": "string", "nullable": True}),
        ({"type": ["string", "null"]}, {"nullable": True, "type": "string"}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        (
            {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]},
            {"items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "type": "array"},
        ),
        ({"type": "file"}, {"type": "string", "format": "binary"}),
        ({"required": [], "type": "object"}, {"type": "object"}),
        ({"$ref": "#/definitions/Other", "description": "ignored"}, {"$ref": "#/components/schemas/Other"}),
        ({"example": {"$ref": "literal"}}, {"example": {"$ref": "literal"}}),
        ({"type": "object", "additionalProperties": True}, {"additionalProperties": True, "type": "object"}),
        ({"type": "object", "javaType": "a.B"}, {"type": "object"}),
        ({"oneOf": [{"type": "string"}]}, {"oneOf": [{"type": "string"}]}),
    ],
)
def test_schemas_say_the_same_in_other_words(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert schema(given, Other={"type": "object"}) == made


def test_a_family_of_schemas_is_told_apart_by_the_names_it_had() -> None:
    made = converted(
        definitions={
            "Base": {"type": "object", "discriminator": "kind", "properties": {"kind": {"type": "string"}}},
            "Kind«A»": {"allOf": [{"$ref": "#/definitions/Base"}]},
            "Kind_A": {"allOf": [{"$ref": "#/definitions/Base"}]},
        }
    )["components"]["schemas"]
    assert made["Base"]["discriminator"] == {
        "propertyName": "kind",
        "mapping": {"Kind«A»": "#/components/schemas/Kind_A_2"},
    }
    assert list(made) == ["Base", "Kind_A_2", "Kind_A"]


def test_names_lose_their_accents_and_stay_apart() -> None:
    names = ("Trámite", "Tramite", "Page«Trámite»", "申請", "届出")
    made = converted(definitions={name: {"type": "object"} for name in names})["components"]["schemas"]
    assert list(made) == ["Tramite_2", "Tramite", "Page_Tramite", "component", "component_2"]


def test_references_into_operations_lead_to_schemas_of_their_own() -> None:
    response = {"description": "d", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    made = converted(
        paths={"/a": {"get": {"responses": {"200": response}}}},
        definitions={"A": {"$ref": "#/paths/~1a/get/responses/200/schema"}},
    )["components"]["schemas"]
    assert made["A"] == {"$ref": "#/components/schemas/paths_a_get_responses_200_schema"}
    assert made["paths_a_get_responses_200_schema"] == response["schema"]


def test_a_path_parameter_that_nothing_describes_is_added_and_told() -> None:
    document = {"swagger": "2.0", "info": {"title": "A", "version": "1"}, "paths": {"/a/{id}": {"get": OK}}}
    read = read_openapi(json.dumps(document).encode())
    added = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    assert json.loads(read.text)["paths"]["/a/{id}"]["get"]["parameters"] == [added]
    assert [one.code for one in read.warnings] == ["converted", "declared-now"]


def test_what_came_is_kept_beside_what_is_published() -> None:
    text = "swagger: '2.0'\ninfo: {title: A, version: '1'}\npaths: {}\n"
    read = read_openapi(text.encode())
    assert read.original is not None
    assert (read.original.text, read.original.media_type) == (text, "application/yaml")
    assert (read.standard, read.media_type) == ("Swagger 2.0", "application/json")


def test_references_from_operation_to_operation_may_go_on_for_long() -> None:
    def refers(to: int) -> dict[str, Any]:
        schema = {"properties": {"a": {"$ref": f"#/paths/~1{to}/get/responses/200/schema"}}}
        return {"get": {"responses": {"200": {"description": "", "schema": schema}}}}

    paths = {f"/{n}": refers((n + 1) % 3_000) for n in range(3_000)}
    assert len(converted(paths=paths)["components"]["schemas"]) == 3_000


def content_of(**members: Any) -> bytes:
    content = json.dumps({"swagger": "2.0", "info": {"title": "A", "version": "1"}, **members}).encode()
    assert len(content) < MAX_DOCUMENT_BYTES
    return content


MANY_TYPES = [f"a/b{n}" for n in range(10_000)]


def test_a_body_that_many_operations_share_is_written_once() -> None:
    body = {"name": "b", "in": "body", "schema": {"type": "object", "description": "x" * 300_000}}
    paths = {f"/{n}": {"post": {"parameters": [{"$ref": "#/parameters/b"}], **OK}} for n in range(6_000)}
    assert len(read_openapi(content_of(parameters={"b": body}, paths=paths)).text) < 4 * MAX_DOCUMENT_BYTES


def test_a_schema_that_many_media_types_share_is_written_once() -> None:
    large = {f"p{n}": {"type": "string"} for n in range(15_000)}
    responses = {"200": {"description": "", "schema": {"properties": large}}}
    paths = {"/a": {"get": {"produces": MANY_TYPES, "responses": responses}}}
    assert len(read_openapi(content_of(paths=paths)).text) < 4 * MAX_DOCUMENT_BYTES


def test_many_media_types_of_many_operations_are_refused_quickly(app: Flask) -> None:
    responses = {"200": {"description": "", "schema": {"type": "string"}}}
    paths = {f"/{n}": {"get": {"responses": responses}} for n in range(900)}
    started = time.process_time()
    with pytest.raises(DocumentRefused) as refused:
        read_openapi(content_of(produces=MANY_TYPES, paths=paths))
    assert time.process_time() - started < 5
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert "is too large" in str(refused.value.detail)
