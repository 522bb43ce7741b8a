"""OpenAPI 3.0, 3.1 and 3.2 as tables (https://spec.openapis.org/oas/); the official JSON Schemas agree, as tests show.

Schema Objects have a file of their own, `schema_tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from catalogue.openapi_documents.schema_tables import (
    SCHEMA_3_0,
    SCHEMA_3_1,
    SCHEMA_RULES,
    SCHEMA_RULES_3_1,
    json_schema,
    look_at_dialect,
)
from catalogue.openapi_documents.shapes import Check, Names, Rule, Walk, kinds

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

NAMES: Names = {
    # The official schema of 3.0 passes over other names, so that many documents have them.
    "named": ("component-name-3.0", re.compile(r"[a-zA-Z0-9._-]+")),
    "component": ("component-name", re.compile(r"[a-zA-Z0-9._-]+")),
    "path": ("path-name", re.compile("/.*", re.DOTALL)),
    "status": ("status-name", re.compile(r"default|[1-5](?:[0-9]{2}|XX)")),
    "expression": ("name", re.compile(".*", re.DOTALL)),
    # RFC 9110 5.6.2; those with a field of their own stand there.
    "method": (
        "method-name",
        re.compile(r"(?!(GET|PUT|POST|DELETE|OPTIONS|HEAD|PATCH|TRACE|QUERY)$)[a-zA-Z0-9!#$%&'*+.^_`|~-]+"),
    ),
}

FLOW = "refreshUrl text \n scopes! {text}"
ITEM = "$ref text \n summary text \n description text \n servers [Server] \n parameters [Parameter?]\n"
EXAMPLES = "example any \n examples {Example?}\n"

TABLE_3_0: Mapping[str, str] = {
    "OpenAPI": """
        openapi! text
        info! Info
        servers [Server]
        paths! {path:PathItem}
        components Components
        security [SecurityRequirement]
        tags [Tag]
        externalDocs ExternalDocs
    """,
    "Info": """
        title! text
        description text
        termsOfService text
        contact Contact
        license License
        version! text
    """,
    "Contact": "name text \n url text \n email text",
    "License": "name! text \n url text",
    "Server": "url! text \n description text \n variables {ServerVariable}",
    "ServerVariable": "enum [text] \n default! text \n description text",
    "Components": """
        schemas {named:Schema?}
        responses {named:Response?}
        parameters {named:Parameter?}
        examples {named:Example?}
        requestBodies {named:RequestBody?}
        headers {named:Header?}
        securitySchemes {named:SecurityScheme?}
        links {named:Link?}
        callbacks {named:Callback?}
    """,
    "PathItem": ITEM + "\n".join(f"{method} Operation" for method in METHODS),
    "Operation": """
        tags [text]
        summary text
        description text
        externalDocs ExternalDocs
        operationId text
        parameters [Parameter?]
        requestBody RequestBody?
        responses! {status:Response?}
        callbacks {Callback?}
        deprecated flag
        security [SecurityRequirement]
        servers [Server]
    """,
    "ExternalDocs": "description text \n url! text",
    "Parameter": EXAMPLES
    + """
        name! text
        in! =query|header|path|cookie
        description text
        required flag
        deprecated flag
        allowEmptyValue flag
        style text
        explode flag
        allowReserved flag
        schema Schema?
        content {MediaType}
    """,
    "RequestBody": "description text \n content! {MediaType} \n required flag",
    "MediaType": EXAMPLES + "schema Schema? \n encoding {Encoding}",
    "Encoding": """
        contentType text
        headers {Header?}
        style =form|spaceDelimited|pipeDelimited|deepObject
        explode flag
        allowReserved flag
    """,
    "Response": "description! text \n headers {Header?} \n content {MediaType} \n links {Link?}",
    "Example": "summary text \n description text \n value any \n externalValue text",
    "Callback": "{expression:PathItem}",
    "Link": """
        operationRef text
        operationId text
        parameters {any}
        requestBody any
        description text
        server Server
    """,
    "Header": EXAMPLES
    + """
        description text
        required flag
        deprecated flag
        allowEmptyValue flag
        style =simple
        explode flag
        allowReserved flag
        schema Schema?
        content {MediaType}
    """,
    "Tag": "name! text \n description text \n externalDocs ExternalDocs",
    "SecurityRequirement": "{[text]}",
    "SecurityScheme": """
        type! =apiKey|http|oauth2|openIdConnect
        description text
        name text
        in =query|header|cookie
        scheme text
        bearerFormat text
        flows Flows
        openIdConnectUrl text
    """,
    "Flows": "implicit Implicit \n password Password \n clientCredentials Password \n authorizationCode Code",
    "Implicit": "authorizationUrl! text \n" + FLOW,
    "Password": "tokenUrl! text \n" + FLOW,
    "Code": "authorizationUrl! text \n tokenUrl! text \n" + FLOW,
    **SCHEMA_3_0,
}

# A schema's `$ref` is one of its members from 3.1 on, beside which others may stand.
_BEFORE = {
    kind: text.replace("Schema?", "Schema").replace("{named:", "{component:") for kind, text in TABLE_3_0.items()
}
TABLE_3_1: Mapping[str, str] = {
    **_BEFORE,
    "OpenAPI": _BEFORE["OpenAPI"].replace("paths!", "paths")
    + """
        jsonSchemaDialect text
        webhooks {PathItem}
    """,
    "Info": _BEFORE["Info"] + "summary text",
    "License": _BEFORE["License"] + "\n identifier text",
    "ServerVariable": "enum [text]+ \n default! text \n description text",
    "Components": _BEFORE["Components"] + "pathItems {component:PathItem}",
    "Operation": _BEFORE["Operation"].replace("responses!", "responses"),
    "Header": _BEFORE["Header"].replace("allowEmptyValue flag", "").replace("allowReserved flag", ""),
    "SecurityScheme": _BEFORE["SecurityScheme"].replace("=apiKey|", "=apiKey|mutualTLS|"),
    **SCHEMA_3_1,
}

TABLE_3_2: Mapping[str, str] = {
    **TABLE_3_1,
    "OpenAPI": TABLE_3_1["OpenAPI"] + "$self text",
    "Server": TABLE_3_1["Server"] + "\n name text",
    "Components": TABLE_3_1["Components"] + "\n mediaTypes {component:MediaType?}",
    "PathItem": TABLE_3_1["PathItem"] + "\n query Operation \n additionalOperations {method:Operation}",
    "Parameter": TABLE_3_1["Parameter"]
    .replace("=query|", "=query|querystring|")
    .replace("{MediaType}", "{MediaType?}"),
    "RequestBody": TABLE_3_1["RequestBody"].replace("{MediaType}", "{MediaType?}"),
    "MediaType": TABLE_3_1["MediaType"]
    + "\n description text \n itemSchema Schema \n prefixEncoding [Encoding] \n itemEncoding Encoding",
    "Encoding": TABLE_3_1["Encoding"] + "\n encoding {Encoding} \n prefixEncoding [Encoding] \n itemEncoding Encoding",
    "Response": "summary text \n description text \n headers {Header?} \n content {MediaType?} \n links {Link?}",
    "Example": TABLE_3_1["Example"] + "\n dataValue any \n serializedValue text",
    "Header": TABLE_3_1["Header"].replace("{MediaType}", "{MediaType?}"),
    "Tag": TABLE_3_1["Tag"] + "\n summary text \n parent text \n kind text",
    "SecurityScheme": TABLE_3_1["SecurityScheme"] + "\n deprecated flag \n oauth2MetadataUrl text",
    "Flows": TABLE_3_1["Flows"] + "\n deviceAuthorization Device",
    "Device": "deviceAuthorizationUrl! text \n tokenUrl! text \n" + FLOW,
    "XML": TABLE_3_1["XML"] + "\n nodeType =element|attribute|text|cdata|none",
    "Discriminator": TABLE_3_1["Discriminator"] + "\n defaultMapping text",
}

STYLES = {
    "path": ("matrix", "label", "simple"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
SCHEME_MEMBERS = {"apiKey": ("name", "in"), "http": ("scheme",), "oauth2": ("flows",)} | {
    "openIdConnect": ("openIdConnectUrl",),
}


def exclude(one: str, other: str) -> Rule:
    """Two members that never stand beside each other."""

    def rule(walk: Walk, node: dict[str, Any]) -> None:
        if one in node and other in node:
            walk.fail("together", one=one, other=other)

    return rule


def needs_one_of(*names: str) -> Rule:
    """At least one of these members."""

    def rule(walk: Walk, node: dict[str, Any]) -> None:
        if not any(name in node for name in names):
            walk.fail("missing-one", names=", ".join(names))

    return rule


def in_a_dialect(table: Check) -> Check:
    """OAS 3.1.1, OpenAPI Object: what the schemas follow where they say nothing themselves, known before they come."""

    def check(walk: Walk, node: Any) -> None:
        if isinstance(given := node.get("jsonSchemaDialect"), str):
            look_at_dialect(walk, given, "jsonSchemaDialect")
        table(walk, node)

    return check


def content_has_one(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Parameter Object: the map `content` contains exactly one entry."""
    if "content" in node and len(node["content"]) != 1:
        walk.fail("only-one", "content")


def content_stands_alone(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Parameter Object: how a schema is written down does not go with `content`."""
    for name in ("style", "explode", "allowReserved", "example", "examples"):
        if "content" in node and name in node:
            walk.fail("together", one="content", other=name)


def location(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Parameter Object: what goes with the place where a parameter is."""
    where = node["in"]
    if where == "path" and node.get("required") is not True:
        walk.fail("required-true")
    if where == "querystring" and "content" not in node:
        walk.fail("missing", name="content")
    style = node.get("style")
    if style is not None and style not in STYLES.get(where, ()):
        walk.fail("one-of", "style", value=style, allowed=", ".join(STYLES.get(where, ())))


def scheme(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Security Scheme Object: each type has members of its own."""
    kind = node["type"]
    for name in SCHEME_MEMBERS.get(kind, ()):
        if name not in node:
            walk.fail("missing", name=name)
    own = {*SCHEME_MEMBERS.get(kind, ()), "type", "description", "deprecated"}
    own |= {"bearerFormat"} if str(node.get("scheme", "")).lower() == "bearer" and kind == "http" else set()
    own |= {"oauth2MetadataUrl"} if kind == "oauth2" else set()
    for name in node:
        if name not in own and not name.startswith("x-"):
            walk.fail("not-here", name, name=name, other=f"type: {kind}")


def item_elsewhere(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Path Item Object: it may stand elsewhere."""
    if "$ref" in node:
        walk.refer(node["$ref"], "PathItem")


def responses_have_one(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Responses Object: it has at least one response code."""
    if "responses" in node and all(name.startswith("x-") for name in node["responses"]):
        walk.fail("few", "responses")


DESCRIBED: tuple[Rule, ...] = (
    exclude("example", "examples"),
    exclude("schema", "content"),
    needs_one_of("schema", "content"),
    content_has_one,
    content_stands_alone,
)
RULES: Mapping[str, tuple[Rule, ...]] = {
    "PathItem": (item_elsewhere,),
    "Operation": (responses_have_one,),
    "Parameter": (*DESCRIBED, location),
    "Header": DESCRIBED,
    "MediaType": (exclude("example", "examples"),),
    "Link": (exclude("operationRef", "operationId"),),
    "SecurityScheme": (scheme,),
    **SCHEMA_RULES,
}
RULES_3_1: Mapping[str, tuple[Rule, ...]] = {
    **RULES,
    **SCHEMA_RULES_3_1,
    "OpenAPI": (needs_one_of("paths", "components", "webhooks"),),
    "License": (exclude("identifier", "url"),),
    "Link": (exclude("operationRef", "operationId"), needs_one_of("operationRef", "operationId")),
}
ENCODED = (exclude("encoding", "prefixEncoding"), exclude("encoding", "itemEncoding"))
RULES_3_2: Mapping[str, tuple[Rule, ...]] = {
    **RULES_3_1,
    "MediaType": (exclude("example", "examples"), *ENCODED),
    "Encoding": ENCODED,
    "Example": (
        exclude("value", "externalValue"),
        exclude("value", "dataValue"),
        exclude("value", "serializedValue"),
        exclude("serializedValue", "externalValue"),
    ),
}

STANDARDS: Mapping[str, Mapping[str, Check]] = {
    "3.0": kinds(TABLE_3_0, RULES, NAMES),
    "3.1": kinds(TABLE_3_1, RULES_3_1, NAMES, {"Schema": json_schema, "OpenAPI": in_a_dialect}),
    "3.2": kinds(TABLE_3_2, RULES_3_2, NAMES, {"Schema": json_schema, "OpenAPI": in_a_dialect}),
}
"""The kinds of objects of each version; a document is held against its `OpenAPI`."""
