"""Schema Objects as tables: OpenAPI 3.0's own, and JSON Schema 2020-12 as OpenAPI 3.1 and 3.2 take it over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urldefrag, urljoin

from catalogue.openapi_documents.findings import Place
from catalogue.openapi_documents.regular_expressions import is_regular_expression
from catalogue.openapi_documents.shapes import Check, Rule, Walk, in_json, kind_of

LIMITS = """
    maximum number
    minimum number
    maxLength whole
    minLength whole
    pattern text
    maxItems whole
    minItems whole
    uniqueItems flag
"""
"""The bounds of a value, in Swagger 2.0 outside of schemas too."""

BOUNDS = (
    LIMITS
    + """
        title text
        description text
        format text
        multipleOf positive
        maxProperties whole
        minProperties whole
        default any
        readOnly flag
        externalDocs ExternalDocs
        example any
        xml XML
    """
)
"""The part of a Schema Object that is alike in every version."""

SCHEMA_3_0: Mapping[str, str] = {
    "Schema": BOUNDS
    + """
        exclusiveMaximum flag
        exclusiveMinimum flag
        required [text]+!
        enum [any]+
        type =array|boolean|integer|number|object|string
        not Schema?
        allOf [Schema?]
        oneOf [Schema?]
        anyOf [Schema?]
        items Schema?
        properties {Schema?}
        additionalProperties SchemaOrFlag
        nullable flag
        discriminator Discriminator
        writeOnly flag
        deprecated flag
    """,
    "Discriminator": "propertyName! text \n mapping {text} \n ... any",
    "XML": "name text \n namespace text \n prefix text \n attribute flag \n wrapped flag",
}

SCHEMA_3_1: Mapping[str, str] = {
    **SCHEMA_3_0,
    "Schema": BOUNDS
    + """
        $id text
        $schema text
        $ref text
        $anchor text
        $dynamicRef text
        $dynamicAnchor text
        $vocabulary {flag}
        $comment text
        $defs {Schema}
        definitions {Schema}
        exclusiveMaximum number
        exclusiveMinimum number
        required [text]!
        dependentRequired {[text]!}
        enum [any]
        const any
        type any
        not Schema
        allOf [Schema]+
        oneOf [Schema]+
        anyOf [Schema]+
        if Schema
        then Schema
        else Schema
        items Schema
        prefixItems [Schema]+
        contains Schema
        maxContains whole
        minContains whole
        unevaluatedItems Schema
        properties {Schema}
        patternProperties {Schema}
        additionalProperties Schema
        propertyNames Schema
        dependentSchemas {Schema}
        unevaluatedProperties Schema
        contentEncoding text
        contentMediaType text
        contentSchema Schema
        examples [any]
        discriminator Discriminator
        writeOnly flag
        deprecated flag
        ... any
    """,
}

LONGEST_ADDRESS = 2_000
TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
KNOWN_DIALECTS = ("https://json-schema.org/draft/2020-12/schema", "https://spec.openapis.org/oas/3.")


def patterns(walk: Walk, node: dict[str, Any]) -> None:
    """JSON Schema 2020-12 6.3.3: patterns SHOULD be regular expressions of ECMA-262."""
    expressions: list[tuple[Place, str]] = [(("pattern",), node["pattern"])] if "pattern" in node else []
    expressions += [(("patternProperties", pattern), pattern) for pattern in node.get("patternProperties", ())]
    for place, pattern in expressions[: walk.patterns_left]:
        walk.patterns_left -= 1
        if not is_regular_expression(pattern):
            walk.warn("pattern", *place, pattern=pattern)


def array_has_items(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.0.3, Schema Object: `items` MUST be present if the type is array. Much left out, and no call suffers."""
    if node.get("type") == "array" and "items" not in node:
        walk.warn("no-items")


def types(walk: Walk, node: dict[str, Any]) -> None:
    """JSON Schema 2020-12 6.1.1: one type, or a list of different ones."""
    if "type" not in node:
        return
    given = node["type"]
    many = given if isinstance(given, list) else [given]
    if not many:
        walk.fail("few", "type")
    for number, one in enumerate(many):
        further = ("type", str(number)) if isinstance(given, list) else ("type",)
        if not isinstance(one, str) or one not in TYPES:
            walk.fail("one-of", *further, value=in_json(one), allowed=", ".join(TYPES))
        if one in many[:number]:
            walk.fail("duplicate", *further, value=one)


def no_longer_nullable(walk: Walk, node: dict[str, Any]) -> None:
    """OAS 3.1.0 took `nullable` out, so that readers pass over it."""
    if node.get("nullable") is True:
        given = node.get("type")
        walk.warn("nullable", "nullable", type=f'"{given}"' if isinstance(given, str) else "…")


SCHEMA_RULES: Mapping[str, tuple[Rule, ...]] = {"Schema": (patterns, array_has_items)}
SCHEMA_RULES_3_1: Mapping[str, tuple[Rule, ...]] = {"Schema": (types, patterns, no_longer_nullable)}


def json_schema(table: Check) -> Check:
    """A schema of JSON Schema 2020-12: true, false or a mapping, which may have an address and a name of its own."""

    def check(walk: Walk, node: Any) -> None:
        if isinstance(node, bool):
            return
        if not isinstance(node, dict):
            walk.fail("kind", expected="kind:schema", actual=f"kind:{kind_of(node)}")
        outside, base = walk.has_other_dialect, walk.base
        _name(walk, node)
        for reference in ("$ref", "$dynamicRef"):
            if reference in node:
                walk.refer(node[reference], "Schema", reference)
        if not walk.has_other_dialect:
            table(walk, node)
        walk.has_other_dialect, walk.base = outside, base

    return check


def _name(walk: Walk, node: dict[str, Any]) -> None:
    """JSON Schema 2020-12 8.2: what the schema can be referred to by."""
    if isinstance(address := node.get("$id"), str) and len(address) <= LONGEST_ADDRESS:
        walk.base = urldefrag(urljoin(walk.base, address))[0]
        walk.resources[walk.base] = node
    for anchor in ("$anchor", "$dynamicAnchor"):
        if isinstance(name := node.get(anchor), str):
            walk.resources[f"{walk.base}#{name}"] = node
    if isinstance(dialect := node.get("$schema"), str):
        look_at_dialect(walk, dialect, "$schema")


def look_at_dialect(walk: Walk, dialect: str, member: str) -> None:
    """JSON Schema 2020-12 8.1.1: schemas of another dialect follow other rules, which are not known here."""
    walk.has_other_dialect = not dialect.startswith(KNOWN_DIALECTS)
    if walk.has_other_dialect:
        walk.warn("other-dialect", member, dialect=dialect)
