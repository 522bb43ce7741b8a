"""Shapes of services, in JSON both ways."""

from __future__ import annotations

from catalogue.services.rules import (
    BASE_URL,
    DESCRIPTION_LENGTH,
    LONGEST_SEARCH,
    NAME_LENGTH,
    URL_LENGTH,
    VERSION,
    Kind,
    Obligation,
    Status,
)
from kernel.api import fields, validators
from kernel.api.api_fields import (
    AGENCY_CODE,
    AN_AGENCY_CODE,
    AN_EMAIL,
    ONE_LINE,
    Body,
    ListQuery,
    Schema,
    coded,
    line,
    lines,
)
from kernel.api.validators import Matches
from kernel.base.errors import _
from kernel.base.text import EMAIL, LINE

A_VERSION = _("Write the name of a version, such as v1.")


class OwnerSchema(Schema):
    code = fields.String(required=True, metadata={"description": "The agency's state code", "example": "AE002"})
    name = fields.String(required=True, metadata={"example": "Servicio de Información Territorial"})


class WarningSchema(Schema):
    """Something in an interface document that is better changed, though the document is accepted."""

    code = fields.String(required=True, metadata={"example": "unknown-scheme"})
    line = fields.Integer(required=True, metadata={"description": "Where it is in the document as it was sent"})
    pointer = fields.String(required=True, metadata={"description": "The place as a JSON Pointer (RFC 6901)"})
    detail = fields.String(required=True, metadata={"description": "A sentence in the reader's language"})


class VersionSchema(Schema):
    """A version of a service."""

    version = fields.String(required=True, metadata={"example": "v1"})
    status = fields.String(required=True, validate=validators.OneOf([str(one) for one in Status]))
    gateway = fields.String(required=True, metadata={"description": "Where consumers with an agreement call it"})
    openapi = fields.String(allow_none=True, required=True, metadata={"description": "Address of its OpenAPI document"})
    openapi_original = fields.String(
        allow_none=True,
        required=True,
        metadata={"description": "Address of the document as it came, where it was converted to OpenAPI 3"},
    )
    operations = fields.Integer(required=True, metadata={"description": "How many the document describes"})
    warnings = fields.List(
        fields.Nested(WarningSchema), metadata={"description": "Of the document; only told to the owner"}
    )
    published_at = fields.DateTime(allow_none=True, required=True)
    reasons = fields.String(metadata={"description": "Why the authority returned it; shown only to the owner"})


class ServiceSchema(Schema):
    """A service of the catalogue."""

    code = fields.String(required=True, metadata={"example": "SRV-000001"})
    name = fields.String(required=True, metadata={"example": "Registro de comunas"})
    description = fields.String(required=True)
    kind = fields.String(required=True, validate=validators.OneOf([str(one) for one in Kind]))
    obligation = fields.String(required=True, validate=validators.OneOf([str(one) for one in Obligation]))
    contact = fields.String(required=True, metadata={"example": "soporte@agencia.cl"})
    owner = fields.Nested(OwnerSchema, required=True)
    published_at = fields.DateTime(allow_none=True, required=True)
    versions = fields.List(fields.Nested(VersionSchema), required=True)


class ServicesQuery(ListQuery):
    q = fields.String(
        load_default=str,
        validate=[validators.Length(max=LONGEST_SEARCH), Matches(f"({LINE})?", ONE_LINE)],
        metadata={"description": "Words to search for, in Spanish", "example": "regiones y comunas"},
    )
    kind = fields.String(load_default=str, validate=validators.OneOf([str(one) for one in Kind]))
    owner = coded(
        AGENCY_CODE,
        AN_AGENCY_CODE,
        required=False,
        load_default=str,
        metadata={"description": "Code of the agency that offers it", "example": "AE001"},
    )


class ServiceDraftSchema(Body):
    """A service and one version of it, as its owner describes them."""

    name = line(NAME_LENGTH, metadata={"example": "Registro de comunas"})
    description = lines(
        DESCRIPTION_LENGTH, metadata={"example": "Entrega las comunas de Chile con su Código Único Territorial."}
    )
    kind = fields.String(
        required=True, validate=validators.OneOf([str(one) for one in Kind]), metadata={"example": "api"}
    )
    contact = coded(EMAIL, AN_EMAIL, metadata={"example": "soporte@agencia.cl"})
    obligation = fields.String(
        load_default=str(Obligation.OPTIONAL), validate=validators.OneOf([str(one) for one in Obligation])
    )
    version = coded(VERSION, A_VERSION, required=False, load_default="v1")
    base_url = fields.String(
        load_default=str,
        validate=validators.Length(max=URL_LENGTH),
        metadata={
            "description": "The provider's address",
            "example": "https://api.agencia.cl/v1",
            "pattern": f"^({BASE_URL})?$",
        },
    )
    openapi = fields.String(
        load_default=str,
        metadata={
            "description": "The OpenAPI 3 or Swagger 2.0 document as text, JSON or YAML, at most 1 MB in UTF-8; "
            "empty keeps the current one",
            "example": 'openapi: 3.1.0\ninfo: {title: Comunas, version: "1"}\npaths: {}\n',
        },
    )
