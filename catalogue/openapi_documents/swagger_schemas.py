"""Swagger 2.0 brought to OpenAPI 3.0: schemas and the references to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from catalogue.openapi_documents.findings import Place, pointer
from catalogue.openapi_documents.references import Resolver
from catalogue.openapi_documents.swagger_tables import component_names

VALUE = (
    "format",
    "default",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "enum",
    "multipleOf",
)
"""Members that say the same in both."""
UNCHANGED = frozenset(
    (
        *VALUE,
        "title",
        "description",
        "maxProperties",
        "minProperties",
        "readOnly",
        "example",
        "nullable",
        "deprecated",
        "writeOnly",
    )
)
XML = ("name", "namespace", "prefix", "attribute", "wrapped")


def value_schema(node: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, a header or an element of a list, which in 2.0 stands in the thing itself."""
    made = {name: node[name] for name in VALUE if name in node}
    if node.get("type") == "file":
        return {**made, "type": "string", "format": "binary"}
    if "type" in node:
        made = {"type": node["type"], **made}
    if node.get("type") == "array":
        made["items"] = value_schema(node["items"]) if "items" in node else {}
    if node.get("x-nullable") is True:
        made["nullable"] = True
    return made


class Schemas:
    """The schemas of a document, under the names that OpenAPI 3 allows, and those that became components."""

    def __init__(self, definitions: Mapping[str, Any], names: Mapping[str, str], find: Resolver) -> None:
        self.definitions, self.names, self.find = definitions, names, find
        self.taken = frozenset(names.values())
        self.hoisted: dict[Place, str] = {}
        self.made: dict[str, Any] = {}
        self.waiting: list[tuple[str, dict[str, Any]]] = []
        self.families = _families(definitions, names, find)

    def all(self) -> dict[str, Any]:
        """Every schema that has a name, the document's own first and in their order."""
        own = {self.names[name]: self.schema(node, name) for name, node in self.definitions.items()}
        # Not where they are met: they may refer to one another for as long as the document is.
        while self.waiting:
            name, node = self.waiting.pop()
            self.made[name] = self.schema(node)
        return {**own, **self.made}

    def schema(self, node: Mapping[str, Any], name: str = "") -> dict[str, Any]:
        """A schema as OpenAPI 3.0 writes it. name: that of the definition, where it is one."""
        if isinstance(node.get("$ref"), str):
            return {"$ref": self.reference(node["$ref"])}
        made: dict[str, Any] = {}
        for member, value in node.items():
            if member in UNCHANGED or (member.startswith("x-") and member != "x-nullable"):
                made[member] = value
            elif member == "properties":
                made[member] = {one: self.schema(schema) for one, schema in value.items()}
            elif member in ("allOf", "anyOf", "oneOf"):
                made[member] = [self.schema(one) for one in value]
            elif member == "not":
                made[member] = self.schema(value)
            elif member == "additionalProperties":
                made[member] = value if isinstance(value, bool) else self.schema(value)
            elif member == "items":
                made[member] = self._items(value)
            elif member == "required" and value:
                made[member] = list(dict.fromkeys(value))
            elif member == "discriminator":
                made[member] = {"propertyName": value, **self.families.get(name, {})}
            elif member == "xml":
                made[member] = {one: value[one] for one in value if one in XML or one.startswith("x-")}
            elif member == "externalDocs":
                made[member] = {one: value[one] for one in value if one in ("description", "url") or one[:2] == "x-"}
        if node.get("x-nullable") is True:
            made["nullable"] = True
        return {**made, **_typed(node.get("type"), made)}

    def _items(self, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return self.schema(value)
        # One schema for each place in the list: OpenAPI 3.0 can only say that each element is one of them.
        return {"anyOf": [self.schema(one) for one in value]} if value else {}

    def reference(self, target: str) -> str:
        """Return the schema's place in OpenAPI 3. One without a name of its own gets one."""
        place, node = self.find.find(target)
        if place and place[0] == "definitions" and len(place) > 1 and not any(step.isdecimal() for step in place[2:]):
            return "#/components/schemas" + quote(pointer((self.names[place[1]], *place[2:])), safe="/~!$&'()*+,;=:@")
        place = place or (target,)
        if place not in self.hoisted:
            self.hoisted[place] = self._new_name("_".join(place))
            self.made[self.hoisted[place]] = {}
            self.waiting.append((self.hoisted[place], node))
        return "#/components/schemas/" + self.hoisted[place]

    def shared(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A reference to a schema that stands in several places, unless it is small."""
        if "$ref" in schema or not any(isinstance(value, dict | list) for value in schema.values()):
            return schema
        name = self._new_name("Shared")
        self.made[name] = schema
        return {"$ref": f"#/components/schemas/{name}"}

    def _new_name(self, wanted: str) -> str:
        plain = next(iter(component_names([wanted]).values()))[:100]
        number, name = len(self.made) + 1, plain
        while name in self.made or name in self.taken:
            name, number = f"{plain}_{number}", number + 1
        return name


def _typed(given: Any, made: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema draft 4, 5.5.2, in OpenAPI 3.0's words: one type, several, a file, or nothing."""
    if given is None:
        return {}
    several = [one for one in (given if isinstance(given, list) else [given]) if one != "null"]
    nullable = {"nullable": True} if "null" in (given if isinstance(given, list) else [given]) else {}
    if len(several) > 1:
        return {**nullable, **({} if "anyOf" in made else {"anyOf": [_one_type(one, {}) for one in several]})}
    return {**nullable, **(_one_type(several[0], made) if several else {})}


def _one_type(kind: str, made: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "file":
        return {"type": "string", "format": "binary"}
    return {"type": kind, **({"items": {}} if kind == "array" and "items" not in made else {})}


def _families(definitions: Mapping[str, Any], names: Mapping[str, str], find: Resolver) -> dict[str, dict[str, Any]]:
    """OAS 3.0.3, Discriminator Object: the schemas that build on one, told apart by names that have changed."""
    families: dict[str, dict[str, Any]] = {}
    for name, schema in definitions.items():
        for part in schema.get("allOf", ()) if names[name] != name else ():
            if isinstance(target := part.get("$ref"), str):
                place, _found = find.find(target)
                if place and len(place) == 2 and place[0] == "definitions":
                    mapping = families.setdefault(place[1], {"mapping": {}})["mapping"]
                    mapping[name] = f"#/components/schemas/{names[name]}"
    return families
