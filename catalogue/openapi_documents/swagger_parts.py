"""Swagger 2.0 brought to OpenAPI 3.0: parameters, bodies, responses, and the components that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from catalogue.openapi_documents.findings import Fault, pointer
from catalogue.openapi_documents.references import Resolver
from catalogue.openapi_documents.swagger_schemas import Schemas, value_schema
from catalogue.openapi_documents.swagger_tables import component_names

ANY_TYPE = ("*/*",)
"""The media type of a document of 2.0 that names none: nothing is known of it."""
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
MAX_CONTENTS = 50_000
STYLES: Mapping[str, dict[str, Any]] = {
    "csv": {"style": "form", "explode": False},
    "tsv": {"style": "form", "explode": False},
    "ssv": {"style": "spaceDelimited", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
    "multi": {"style": "form", "explode": True},
}
"""The styles of lists in queries and forms: `collectionFormat`, and what says it in 3.0."""


def known(node: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """These members of the node, and its extensions."""
    return {name: value for name, value in node.items() if name in names or name.startswith("x-")}


class Components:
    """Parts that several places of the document share, under the names that OpenAPI 3 allows."""

    def __init__(self, data: dict[str, Any], find: Resolver) -> None:
        self.data, self.find = data, find
        sections = ("definitions", "parameters", "responses", "securityDefinitions")
        self.names = {section: component_names(data.get(section, {})) for section in sections}
        self.schemas = Schemas(data.get("definitions", {}), self.names["definitions"], find)
        self.made: dict[str, dict[str, Any]] = {"requestBodies": {}, "responses": {}, "parameters": {}}
        self._known: dict[tuple[str, str, tuple[str, ...]], str] = {}
        self._contents = 0

    def all(self) -> dict[str, Any]:
        """The components, those that no operation refers to as well."""
        for name in self.data.get("parameters", {}):
            if self.data["parameters"][name]["in"] not in ("body", "formData"):
                parameter_of({"$ref": "#" + pointer(("parameters", name))}, self)
        for name in self.data.get("responses", {}):
            response_of({"$ref": "#" + pointer(("responses", name))}, None, self)
        made = {section: parts for section, parts in self.made.items() if parts}
        schemas = self.schemas.all()
        return {**({"schemas": schemas} if schemas else {}), **made}

    def shared(
        self, section: str, target: str, types: Sequence[str], name: str, make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """A reference to what `target` names, one component for each list of media types that it is used with."""
        key = (section, target, tuple(types))
        if key not in self._known:
            parts = self.made[section]
            new = name if name not in parts else f"{name}_{len(parts) + 1}"
            while new in parts:
                new += "_"
            self._known[key], parts[new] = new, {}
            parts[new] = make()
        return {"$ref": f"#/components/{section}/{self._known[key]}"}

    def content(self, types: Sequence[str], schema: dict[str, Any] | None) -> dict[str, Any]:
        """The media types of a body or response. A schema that several share becomes a component."""
        self._contents += len(types)
        if self._contents > MAX_CONTENTS:
            raise Fault("too-large-converted")
        if schema is not None and len(types) > 1:
            schema = self.schemas.shared(schema)
        return {one: {} if schema is None else {"schema": schema} for one in types}


def _types(own: Sequence[str] | None, document: Sequence[str]) -> tuple[str, ...]:
    """Swagger 2.0, Operation Object: its own list goes before the document's; an empty one clears it."""
    return tuple(dict.fromkeys(document if own is None else own)) or ANY_TYPE


def _referred(node: Mapping[str, Any], section: str, parts: Components) -> str | None:
    """The name that a reference has in one of the document's sections; None where it leads elsewhere or is none."""
    if "$ref" not in node:
        return None
    place, _found = parts.find.find(node["$ref"])
    return parts.names[section][place[1]] if place and len(place) == 2 and place[0] == section else None


def parameter_of(node: Mapping[str, Any], parts: Components) -> dict[str, Any]:
    """A parameter that is no body, or a reference to one."""
    parameter, name = parts.find.follow(node), _referred(node, "parameters", parts)
    if name is not None:
        return parts.shared("parameters", name, (), name, lambda: _parameter(parameter))
    return _parameter(parameter)


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    made = known(parameter, "name", "in", "description", "required")
    if parameter["in"] == "query":
        made |= known(parameter, "allowEmptyValue")
        if parameter["type"] == "array":
            made |= STYLES[parameter.get("collectionFormat", "csv")]
    made.pop("x-nullable", None)
    if "x-example" in made:
        made["example"] = made.pop("x-example")
    return {**made, "schema": value_schema(parameter)}


def request_body(
    common: list[Any], own: list[Any], consumes: Sequence[str] | None, parts: Components
) -> dict[str, Any] | None:
    """The body of an operation: its own, or that of the path."""
    types = _types(consumes, parts.data.get("consumes", ()))
    form: dict[str, Mapping[str, Any]] = {}
    body: Mapping[str, Any] | None = None
    for node in (*common, *own):
        parameter = parts.find.follow(node)
        if parameter["in"] == "formData":
            form[parameter["name"]] = parameter
        else:
            body = node
    is_form = any(parts.find.follow(node)["in"] == "formData" for node in own or common)
    if form and (is_form or body is None):
        return _form(form, types, parts)
    return _body(body, types, parts) if body is not None else None


def _body(node: Mapping[str, Any], types: tuple[str, ...], parts: Components) -> dict[str, Any]:
    parameter, name = parts.find.follow(node), _referred(node, "parameters", parts)

    def make() -> dict[str, Any]:
        described = known(parameter, "description", "required")
        return {**described, "content": parts.content(types, parts.schemas.schema(parameter["schema"]))}

    return make() if name is None else parts.shared("requestBodies", name, types, name, make)


def _form(form: Mapping[str, Mapping[str, Any]], types: tuple[str, ...], parts: Components) -> dict[str, Any]:
    """Swagger 2.0, Parameter Object: form fields go as one of two media types, and files only as one of them."""
    fitting = [one for one in types if one.partition(";")[0].strip().lower() in (URLENCODED, MULTIPART)]
    if any(parameter["type"] == "file" for parameter in form.values()):
        fitting = [one for one in fitting if one.lower().startswith(MULTIPART)] or [MULTIPART]
    required = [name for name, parameter in form.items() if parameter.get("required")]
    schema = {"type": "object", "properties": {name: _field(one) for name, one in form.items()}}
    content = parts.content(fitting or [URLENCODED], {**schema, **({"required": required} if required else {})})
    styles = {name: STYLES[one.get("collectionFormat", "csv")] for name, one in form.items() if one["type"] == "array"}
    for media_type, one in content.items():
        if styles and not media_type.lower().startswith(MULTIPART):
            one["encoding"] = styles
    return {"content": content, **({"required": True} if required else {})}


def _field(parameter: Mapping[str, Any]) -> dict[str, Any]:
    made = {**known(parameter, "description"), **value_schema(parameter)}
    made.pop("x-nullable", None)
    if "x-example" in made:
        made["example"] = made.pop("x-example")
    return made


def response_of(node: Mapping[str, Any], produces: Sequence[str] | None, parts: Components) -> dict[str, Any]:
    """A response, or a reference to one."""
    response, name = parts.find.follow(node), _referred(node, "responses", parts)
    types = _types(produces, parts.data.get("produces", ()))
    if name is None:
        return _response(response, types, parts)
    return parts.shared("responses", name, types, name, lambda: _response(response, types, parts))


def _response(response: Mapping[str, Any], types: tuple[str, ...], parts: Components) -> dict[str, Any]:
    made = known(response, "description")
    if "headers" in response:
        made["headers"] = {name: _header(one) for name, one in response["headers"].items()}
    content: dict[str, Any] = {}
    if "schema" in response:
        content = parts.content(types, parts.schemas.schema(response["schema"]))
    for media_type, example in response.get("examples", {}).items():
        if "/" in media_type:
            content.setdefault(media_type, {})["example"] = example
    named = {one: example for one, example in response.get("examples", {}).items() if "/" not in one}
    if named:
        # Names that are no media types are a habit; OpenAPI 3 has a place for them.
        first = next(iter(content.values()), None)
        first = content.setdefault(types[0], {}) if first is None else first
        if "example" not in first:
            first["examples"] = {name: {"value": example} for name, example in named.items()}
    return {**made, **({"content": content} if content else {})}


def _header(header: Mapping[str, Any]) -> dict[str, Any]:
    return {**known(header, "description"), "schema": value_schema(header)}
