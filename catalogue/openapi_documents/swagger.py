"""Swagger 2.0 brought to OpenAPI 3.0: the document as a whole, its servers, paths and security.

A document that was held against `swagger_tables` goes in, and one that OpenAPI 3.0 allows comes out. What has no equal
was warned of there. Of a body, a response or a schema that several share one component is made, so that the result
grows no larger than a few times what came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalogue.openapi_documents.findings import Fault
from catalogue.openapi_documents.paths import TEMPLATE, is_described
from catalogue.openapi_documents.references import Resolver
from catalogue.openapi_documents.swagger_parts import Components, known, parameter_of, request_body, response_of
from catalogue.openapi_documents.swagger_tables import METHODS

FLOWS = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}


def converted(data: dict[str, Any], find: Resolver) -> dict[str, Any]:
    """The OpenAPI 3.0 document that says the same as a Swagger 2.0 document."""
    parts = Components(data, find)
    servers = _servers(data, data.get("schemes", ()))
    security = _security(data, parts)
    paths = {path: item if path.startswith("x-") else _item(path, item, parts) for path, item in data["paths"].items()}
    return {
        "openapi": "3.0.3",
        "info": _info(data["info"]),
        **({"servers": servers} if servers else {}),
        **_described(data),
        **({"tags": [_described(tag, "name", "description") for tag in data["tags"]]} if "tags" in data else {}),
        **security,
        "paths": paths,
        "components": {**parts.all(), **_security_schemes(data, parts)},
    }


def _info(info: Mapping[str, Any]) -> dict[str, Any]:
    made = known(info, "title", "description", "termsOfService", "version")
    contact = {"contact": known(info["contact"], "name", "url", "email")} if "contact" in info else {}
    licence = {"license": known(info["license"], "name", "url")} if "license" in info else {}
    return {**made, **contact, **licence}


def _described(node: Mapping[str, Any], *names: str) -> dict[str, Any]:
    documents = {"externalDocs": known(node["externalDocs"], "description", "url")} if "externalDocs" in node else {}
    return {**known(node, *names), **documents}


def _servers(data: Mapping[str, Any], schemes: Any) -> list[dict[str, Any]]:
    """Swagger 2.0, Swagger Object: schemes, host and base path; without schemes that by which the document came."""
    host, base = data.get("host", ""), data.get("basePath", "").rstrip("/")
    if not host and not base:
        return []
    addresses = [f"{scheme}://{host}{base}" for scheme in schemes] if host else [base]
    return [_server(address) for address in addresses or [f"//{host}{base}"]]


def _server(address: str) -> dict[str, Any]:
    # OAS 3.0.3, Server Object: what stands in braces is a variable, which has a default.
    variables = {name: {"default": name or "value"} for name in TEMPLATE.findall(address)}
    return {"url": address, **({"variables": variables} if variables else {})}


def _security(holder: Mapping[str, Any], parts: Components) -> dict[str, Any]:
    if "security" not in holder:
        return {}
    names = parts.names["securityDefinitions"]
    return {"security": [{names.get(name, name): scopes for name, scopes in one.items()} for one in holder["security"]]}


def _security_schemes(data: Mapping[str, Any], parts: Components) -> dict[str, Any]:
    names = parts.names["securityDefinitions"]
    schemes = {names[name]: _security_scheme(one) for name, one in data.get("securityDefinitions", {}).items()}
    return {"securitySchemes": schemes} if schemes else {}


def _security_scheme(scheme: Mapping[str, Any]) -> dict[str, Any]:
    described = known(scheme, "description")
    if scheme["type"] == "basic":
        return {"type": "http", "scheme": "basic", **described}
    if scheme["type"] == "apiKey":
        return {**known(scheme, "type", "name", "in"), **described}
    addresses = {name: scheme[name] for name in ("authorizationUrl", "tokenUrl") if name in scheme}
    flow = FLOWS[scheme["flow"]]
    if flow in ("password", "clientCredentials"):
        addresses.pop("authorizationUrl", None)
    elif flow == "implicit":
        addresses.pop("tokenUrl", None)
    scopes = {name: text for name, text in scheme.get("scopes", {}).items() if not name.startswith("x-")}
    return {"type": "oauth2", "flows": {flow: {**addresses, "scopes": scopes}}, **described}


def _item(path: str, item: Mapping[str, Any], parts: Components) -> dict[str, Any]:
    if "$ref" in item:
        place, _found = parts.find.find(item["$ref"])
        if place is None or len(place) != 2 or place[0] != "paths":
            raise Fault("other-kind", ("paths", path, "$ref"), reference=item["$ref"])
    common = item.get("parameters", [])
    outside = [one for one in common if not _is_sent_as_body(parts.find.follow(one))]
    bodies = [one for one in common if _is_sent_as_body(parts.find.follow(one))]
    made = known(item, "$ref")
    if outside:
        made["parameters"] = [parameter_of(one, parts) for one in outside]
    described = set(_in_path(outside, parts))
    for method in item:
        if method in METHODS:
            made[method] = _operation(path, item[method], bodies, described, parts)
    return made


def _is_sent_as_body(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("in") in ("body", "formData")


def _in_path(parameters: list[Any], parts: Components) -> Iterator[str]:
    followed = (parts.find.follow(one) for one in parameters)
    return (one["name"] for one in followed if one.get("in") == "path")


def _operation(
    path: str, operation: Mapping[str, Any], common: list[Any], described: set[str], parts: Components
) -> dict[str, Any]:
    own = operation.get("parameters", [])
    outside = [one for one in own if not _is_sent_as_body(parts.find.follow(one))]
    bodies = [one for one in own if _is_sent_as_body(parts.find.follow(one))]
    made = _described(operation, "tags", "summary", "description", "operationId", "deprecated")
    parameters = [parameter_of(one, parts) for one in outside]
    described = described | set(_in_path(outside, parts))
    parameters += [_added(name) for name in dict.fromkeys(TEMPLATE.findall(path)) if not is_described(name, described)]
    if parameters:
        made["parameters"] = parameters
    body = request_body(common, bodies, operation.get("consumes"), parts)
    if body:
        made["requestBody"] = body
    made["responses"] = _responses(operation, parts)
    made |= _security(operation, parts)
    servers = _servers(parts.data, operation["schemes"]) if "schemes" in operation else []
    return {**made, **({"servers": servers} if servers else {})}


def _added(name: str) -> dict[str, Any]:
    """A parameter that the path has and that nothing described: `paths.check_paths` warns of it."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _responses(operation: Mapping[str, Any], parts: Components) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for status, response in operation["responses"].items():
        if status.startswith("x-"):
            made[status] = response
        elif status[:1] in "12345d":
            made[status] = response_of(response, operation.get("produces"), parts)
        elif "default" not in operation["responses"]:
            made["default"] = response_of(response, operation.get("produces"), parts)
    return made
