"""Swagger 2.0 as tables (https://spec.openapis.org/oas/v2.0.html), as its official JSON Schema has it.

Documents of it are read leniently: what it does not know is left out with a warning, since they are converted anyway.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from catalogue.openapi_documents.openapi_tables import TABLE_3_0, item_elsewhere, responses_have_one
from catalogue.openapi_documents.schema_tables import BOUNDS, LIMITS, patterns
from catalogue.openapi_documents.shapes import Check, Names, Rule, Walk, in_json, kinds

COMPONENT = re.compile(r"[a-zA-Z0-9._-]+")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
NAMES: Names = {
    "path": ("path-name", re.compile("/.*", re.DOTALL)),
    "status": ("status-name", re.compile(r"default|[0-9]{3}")),
}

VALUE = (
    LIMITS
    + """
        format text
        items Items
        default any
        exclusiveMaximum flag
        exclusiveMinimum flag
        enum [any]+
        multipleOf positive
    """
)
"""The description of a value outside of schemas."""

TABLE: Mapping[str, str] = {
    "Swagger": """
        swagger! any
        info! Info
        host text
        basePath text
        schemes [=http|https|ws|wss]
        consumes [text]
        produces [text]
        paths! {path:PathItem}
        definitions {Schema}
        parameters {Parameter}
        responses {Response}
        securityDefinitions {SecurityScheme}
        security [SecurityRequirement]
        tags [Tag]
        externalDocs ExternalDocs
    """,
    **{kind: TABLE_3_0[kind] for kind in ("Info", "Contact", "License", "ExternalDocs", "SecurityRequirement", "Tag")},
    "PathItem": "$ref text \n parameters [Parameter?] \n" + "\n".join(f"{method} Operation" for method in METHODS),
    "Operation": """
        tags [text]
        summary text
        description text
        externalDocs ExternalDocs
        operationId text
        consumes [text]
        produces [text]
        parameters [Parameter?]
        responses! {status:Response?}
        schemes [=http|https|ws|wss]
        deprecated flag
        security [SecurityRequirement]
    """,
    "Parameter": VALUE
    + """
        name! text
        in! =query|header|path|formData|body
        description text
        required flag
        schema Schema
        type =string|number|integer|boolean|array|file
        allowEmptyValue flag
        collectionFormat =csv|ssv|tsv|pipes|multi
    """,
    "Items": VALUE
    + """
        type =string|number|integer|boolean|array
        collectionFormat =csv|ssv|tsv|pipes
    """,
    "Response": "description! text \n schema Schema \n headers {HeaderField} \n examples {any}",
    "HeaderField": VALUE
    + """
        description text
        type! =string|number|integer|boolean|array
        collectionFormat =csv|ssv|tsv|pipes
    """,
    "Schema": BOUNDS
    + """
        $ref text
        exclusiveMaximum flag
        exclusiveMinimum flag
        required [text]
        enum [any]+
        type any
        items any
        allOf [Schema]+
        properties {Schema}
        additionalProperties any
        discriminator text
    """,
    "XML": TABLE_3_0["XML"],
    "SecurityScheme": """
        type! =basic|apiKey|oauth2
        description text
        name text
        in =query|header
        flow =implicit|password|application|accessCode
        authorizationUrl text
        tokenUrl text
        scopes {text}
    """,
}
TYPES = ("array", "boolean", "integer", "null", "number", "object", "string", "file")
LATER = frozenset(("nullable", "oneOf", "anyOf", "not", "deprecated", "writeOnly"))
"""Members of schemas that OpenAPI 3.0 has and that documents of 2.0 have all the same."""
FLOW_MEMBERS = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "application": ("tokenUrl",),
    "accessCode": ("authorizationUrl", "tokenUrl"),
}


def base_path(walk: Walk, node: dict[str, Any]) -> None:
    """Swagger 2.0, Swagger Object: the value MUST start with a leading slash."""
    if not str(node.get("basePath", "/")).startswith("/"):
        walk.fail("path-name", "basePath", name=node["basePath"])


def parameter(walk: Walk, node: dict[str, Any]) -> None:
    """Swagger 2.0, Parameter Object: a body has a schema, everything else a type."""
    where = node["in"]
    needed = "schema" if where == "body" else "type"
    if needed not in node:
        walk.fail("missing", name=needed)
    if where == "path" and node.get("required") is not True:
        walk.fail("required-true")
    if node.get("type") == "file" and where != "formData":
        walk.fail("not-here", "type", name="type: file", other=f"in: {where}")
    if node.get("collectionFormat") == "multi" and where not in ("query", "formData"):
        walk.fail("not-here", "collectionFormat", name="collectionFormat: multi", other=f"in: {where}")


def names_that_change(walk: Walk, node: dict[str, Any]) -> None:
    """OpenAPI 3 has fewer characters for the names of components."""
    for section in ("definitions", "parameters", "responses", "securityDefinitions"):
        for old, new in component_names(node.get(section, {})).items():
            if old != new:
                walk.warn("renamed", section, old, name=old, other=new)


def without_equal(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Style Values: tabs have none, and only queries and forms have spaces and pipes."""
    given = node.get("collectionFormat", "csv")
    has_equal = given in ("csv", "multi", "ssv", "pipes") if node.get("in") in ("query", "formData") else given == "csv"
    if not has_equal:
        walk.warn("no-equal", "collectionFormat", name="collectionFormat", value=given)


def statuses_without_equal(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Responses Object: from 100 to 599."""
    for status in node["responses"]:
        if status[:1] in "06789":
            walk.warn("no-equal", "responses", status, name="responses", value=status)


def one_body(walk: Walk, node: dict[str, Any]) -> None:
    """Swagger 2.0, Parameter Object: one body at most, and none beside form fields."""
    where = [one.get("in") for one in node.get("parameters", ()) if isinstance(one, dict)]
    if where.count("body") > 1 or ("body" in where and "formData" in where):
        walk.fail("form-and-body", "parameters")


def schema(table: Check) -> Check:
    """A schema of 2.0. What stands beside its `$ref` is ignored."""

    def check(walk: Walk, node: Any) -> None:
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            walk.refer(node["$ref"], "Schema")
            return
        table(walk, node)
        for name in ("oneOf", "anyOf"):
            for number, one in enumerate(_list(walk, node, name)):
                walk.deeper((name, str(number)), check, one)
        if "not" in node:
            walk.into("not", check, node["not"])
        for name in ("items", "additionalProperties"):
            _items(walk, node, name, check)
        _types(walk, node)

    return check


def _list(walk: Walk, node: dict[str, Any], name: str) -> list[Any]:
    value = node.get(name, [])
    if not isinstance(value, list):
        walk.path.append(name)
        walk.expected("list", value)
    return value


def _items(walk: Walk, node: dict[str, Any], name: str, check: Check) -> None:
    """JSON Schema draft 4, 5.3.1: one schema for all elements, or one for each. 5.4.4: true and false as well."""
    value = node.get(name, True)
    if name == "items" and isinstance(value, list):
        for number, one in enumerate(value):
            walk.deeper((name, str(number)), check, one)
    elif name in node and not (name == "additionalProperties" and isinstance(value, bool)):
        walk.into(name, check, value)


def _types(walk: Walk, node: dict[str, Any]) -> None:
    """JSON Schema draft 4, 5.5.2: one type, or a list of them."""
    given = node.get("type", [])
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, str) or one not in TYPES:
            walk.fail("one-of", "type", value=in_json(one), allowed=", ".join(TYPES))


def scheme(walk: Walk, node: dict[str, Any]) -> None:
    """Swagger 2.0, Security Scheme Object: each type has members of its own."""
    needed: tuple[str, ...] = {"apiKey": ("name", "in"), "oauth2": ("flow",)}.get(node["type"], ())
    for name in (*needed, *FLOW_MEMBERS.get(node.get("flow", ""), ())):
        if name not in node:
            walk.fail("missing", name=name)


def component_names(names: Collection[str]) -> dict[str, str]:
    """The names that components of these names have in OpenAPI 3: no two become one."""
    new, counts = dict[str, str](), dict[str, int]()
    taken = {name for name in names if COMPONENT.fullmatch(name)}
    for name in names:
        letters = "".join(one for one in unicodedata.normalize("NFD", name) if not unicodedata.combining(one))
        plain = re.sub("_+", "_", re.sub(r"[^a-zA-Z0-9._-]", "_", letters)).strip("_") or "component"
        candidate = name if COMPONENT.fullmatch(name) else plain
        while candidate in taken and candidate != name:
            counts[plain] = counts.get(plain, 1) + 1
            candidate = f"{plain}_{counts[plain]}"
        taken.add(candidate)
        new[name] = candidate
    return new


SWAGGER_RULES: Mapping[str, tuple[Rule, ...]] = {
    "Swagger": (base_path, names_that_change),
    "PathItem": (item_elsewhere, one_body),
    "Operation": (responses_have_one, statuses_without_equal, one_body),
    "Parameter": (parameter, patterns, without_equal),
    "Items": (patterns, without_equal),
    "HeaderField": (patterns, without_equal),
    "Schema": (patterns,),
    "SecurityScheme": (scheme,),
}


SWAGGER: Mapping[str, Check] = kinds(TABLE, SWAGGER_RULES, NAMES, {"Schema": schema}, known_later={"Schema": LATER})
"""The kinds of objects of Swagger 2.0; a document is held against its `Swagger`."""
