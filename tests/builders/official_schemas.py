"""The official JSON Schemas of each standard, as the oracle for our tables of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
from openapi_spec_validator.schemas import schema_v2, schema_v30, schema_v31, schema_v32

SCHEMAS: dict[str, Any] = {"2.0": schema_v2, "3.0": schema_v30, "3.1": schema_v31, "3.2": schema_v32}

TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
DISCRIMINATOR = {
    "type": "object",
    "required": ["propertyName"],
    "properties": {
        "propertyName": TEXT,
        "defaultMapping": TEXT,
        "mapping": {"type": "object", "additionalProperties": TEXT},
    },
}
XML = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("name", "namespace", "prefix"), TEXT),
        **dict.fromkeys(("attribute", "wrapped"), FLAG),
        "nodeType": {"enum": ["element", "attribute", "text", "cdata", "none"]},
    },
    "patternProperties": {"^x-": True},
    "additionalProperties": False,
}


@cache
def validator(version: str) -> Any:
    schema = dict(SCHEMAS[version])
    if version in ("2.0", "3.0"):
        return jsonschema_rs.validator_for(schema, validate_formats=False)
    # From 3.1 on a schema is whatever its dialect says, which the official schema leaves open (`#meta`).
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://cordillera.example/whole",
        "$ref": schema["$id"],
        "$defs": {
            "schema": {
                "$dynamicAnchor": "meta",
                "$ref": "https://json-schema.org/draft/2020-12/schema",
                "properties": {
                    "discriminator": DISCRIMINATOR,
                    "xml": XML,
                    "externalDocs": {"$ref": f"{schema['$id']}#/$defs/external-documentation"},
                },
            }
        },
    }
    registry = jsonschema_rs.Registry([(schema["$id"], schema)])
    return jsonschema_rs.validator_for(whole, registry=registry, validate_formats=False)


def allows(version: str, document: Any) -> bool:
    return bool(validator(version).is_valid(document))


def complaint(version: str, document: Any) -> str:
    """The first of them, for whoever looks into a failure."""
    return next((f"{one.message} at {one.instance_path}" for one in validator(version).iter_errors(document)), "")
