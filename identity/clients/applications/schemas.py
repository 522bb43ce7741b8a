"""Shapes of applications: what their owner says of them, and what is answered."""

from __future__ import annotations

from typing import Any

from identity.clients.profiles.rules import (
    AUTH_METHODS,
    CERTIFICATE_SUBJECTS,
    CHOICES,
    FLAGS,
    OUR_ALGORITHMS,
    PROFILES,
    URI_OPTIONS,
)
from identity.clients.redirect_uris.rules import MAX_URIS
from identity.clients.registry.rules import ENVIRONMENTS, MAX_CONTACTS, PERSON_SCOPES, SECTORS
from kernel.api import fields, validators
from kernel.api.api_fields import AN_EMAIL, Body, ListQuery, Schema, coded, line, lines
from kernel.api.validators import Matches
from kernel.base.errors import _
from kernel.base.text import EMAIL

_LABEL = r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?"
_HOST = rf"{_LABEL}([.]{_LABEL}){{1,5}}"
_REST = r"(:[0-9]{1,4})?([/?][!-\"$-)+-\[\]-~]{0,700})?"
HTTPS = rf"https://{_HOST}{_REST}"
URI = rf"(https://{_HOST}|http://(localhost|127[.]0[.]0[.]1)){_REST}"
"""A whole address without fragment or pattern: https, or http on this machine, which the sandbox accepts."""
AN_ADDRESS = _("Write a full address that begins with https://, such as https://example.cl/back.")
AN_HTTPS_ADDRESS = _("Write a public address that begins with https://, such as https://example.cl/jwks.json.")
A_SECRET_CODE = _("Write the code of a secret: 16 hexadecimal digits in lower case.")
IN_BASE64 = _("Write the picture in base64, without line breaks.")
CLIENT_ID = r"[0-9a-f]{32}"
SECRET = r"[0-9a-f]{16}"
AN_EXAMPLE = "https://tramites.agencia.cl/entrada"
A_KEY: dict[str, Any] = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "2026",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


A_PNG = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQAAAABbAUdZAAAAEElEQVR42mP4z/CfgWHwEgANrD/B+501bQAAAABJRU5ErkJggg=="


def _uris(**more: Any) -> fields.List:
    one = fields.String(validate=Matches(URI, AN_ADDRESS), metadata={"example": AN_EXAMPLE})
    return fields.List(one, **{"validate": validators.Length(max=MAX_URIS), **more})


def _option(name: str) -> fields.Field[Any]:
    if name in CHOICES:
        return fields.String(validate=validators.OneOf(CHOICES[name]))
    if name in FLAGS:
        return fields.Boolean()
    if name in URI_OPTIONS:
        return fields.String(validate=Matches(URI, AN_ADDRESS))
    return line(200, required=False)


OptionsBody = Body.from_dict(
    {
        "id_token_signed_response_alg": fields.String(validate=validators.OneOf(OUR_ALGORITHMS)),
        **{name: _option(name) for name in (*CHOICES, *FLAGS, *URI_OPTIONS, *CERTIFICATE_SUBJECTS)},
    },
    name="ApplicationOptions",
)
"""Further choices, in the words of RFC 7591 and its extensions."""

ReasonsBody = Body.from_dict({scope: lines(500, required=False) for scope in PERSON_SCOPES[1:]}, name="ScopeReasons")
"""Why the application needs each datum, by its scope."""


class JwksBody(Body):
    """A JSON Web Key Set (RFC 7517) of public keys."""

    keys = fields.List(
        fields.Dict(keys=fields.String(), metadata={"example": A_KEY}),
        required=True,
        validate=validators.Length(1, 10),
    )


class KeysBody(Body):
    """Either the keys, or the address where the application publishes them."""

    jwks = fields.Nested(JwksBody, load_default=None, allow_none=True)
    jwks_uri = fields.String(
        load_default=None,
        allow_none=True,
        validate=Matches(HTTPS, AN_HTTPS_ADDRESS),
        metadata={"description": "A public address", "example": "https://tramites.agencia.cl/jwks.json"},
    )


class ApplicationBody(KeysBody):
    """An application as its owner describes it: all of it, so that a change is the same as beginning anew."""

    name = line(100, 3, metadata={"description": "People read it when they sign in", "example": "Trámites en línea"})
    profile = fields.String(load_default="standard", validate=validators.OneOf(tuple(PROFILES)))
    redirect_uris = _uris(required=True, validate=validators.Length(1, MAX_URIS))
    post_logout_redirect_uris = _uris(load_default=list)
    scopes = fields.List(
        fields.String(validate=validators.OneOf(PERSON_SCOPES)),
        load_default=list,
        metadata={"description": "Those usual for the profile, if none is named", "example": ["openid", "run"]},
    )
    scope_reasons = fields.Nested(
        ReasonsBody, load_default=dict, metadata={"example": {"run": "Para encontrar su expediente."}}
    )
    sector = fields.String(
        load_default="owner",
        validate=validators.OneOf(SECTORS),
        metadata={
            "description": "Who shares the `sub` of a person: the agency's applications, nobody, or all that may"
        },
    )
    contacts = fields.List(
        fields.String(validate=Matches(EMAIL, AN_EMAIL), metadata={"example": "soporte@agencia.cl"}),
        load_default=list,
        validate=validators.Length(max=MAX_CONTACTS),
    )
    auth_method = fields.String(
        load_default=None,
        allow_none=True,
        validate=validators.OneOf((*AUTH_METHODS, None)),
        metadata={"description": "The first that the profile allows, if none is named"},
    )
    options = fields.Nested(
        OptionsBody, load_default=dict, metadata={"example": {"backchannel_logout_uri": AN_EXAMPLE}}
    )


class NewApplicationBody(ApplicationBody):
    """An application to register. It begins in the sandbox; for another environment the authority is asked at once."""

    environment = fields.String(load_default="sandbox", validate=validators.OneOf(ENVIRONMENTS))


class EnvironmentBody(Body):
    environment = fields.String(
        required=True, validate=validators.OneOf(ENVIRONMENTS[1:]), metadata={"example": "certification"}
    )


class LogoBody(Body):
    png = fields.String(
        required=True,
        validate=[
            validators.Length(max=270_000),
            Matches(r"[A-Za-z0-9+/]{4,}={0,2}", IN_BASE64),
        ],
        metadata={
            "description": "A PNG in base64: 32 to 1024 pixels each way, not interlaced, at most 200 kilobytes",
            "example": A_PNG,
        },
    )


class SecretSchema(Schema):
    """A secret that works."""

    code = coded(
        SECRET, A_SECRET_CODE, metadata={"description": "What to withdraw it with", "example": "9f86d081884c7d65"}
    )
    created_at = fields.DateTime(allow_none=True, required=True)
    ends_at = fields.DateTime(allow_none=True, required=True)


class NewSecretSchema(Schema):
    """A secret just made."""

    client_id = fields.String(required=True)
    secret = fields.String(required=True, metadata={"description": "Shown only this once"})
    secrets = fields.List(fields.Nested(SecretSchema), required=True)


class RequestSchema(Schema):
    """A request that waits for the authority."""

    environment = fields.String(required=True, validate=validators.OneOf(ENVIRONMENTS[1:]))
    changes = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "What would change in an application in use", "example": ["redirect_uris"]},
    )
    asked_by = fields.String(required=True)
    asked_at = fields.DateTime(required=True)


class ApplicationSchema(Schema):
    """An application as it is registered."""

    client_id = fields.String(required=True)
    secret = fields.String(metadata={"description": "Only where one was just created, and shown only this once"})
    name = fields.String(required=True)
    profile = fields.String(required=True)
    environment = fields.String(required=True, validate=validators.OneOf(ENVIRONMENTS))
    approved_by = fields.String(
        required=True, allow_none=True, metadata={"description": "Who approved it outside the sandbox"}
    )
    approved_at = fields.DateTime(required=True, allow_none=True)
    revoked_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    redirect_uris = fields.List(fields.String(), required=True)
    post_logout_redirect_uris = fields.List(fields.String(), required=True)
    scopes = fields.List(fields.String(), required=True)
    scope_reasons = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    sector = fields.String(required=True, validate=validators.OneOf(SECTORS))
    logo = fields.String(required=True, allow_none=True, metadata={"description": "The address of its picture"})
    contacts = fields.List(fields.String(), required=True)
    auth_method = fields.String(required=True)
    jwks = fields.Dict(required=True, allow_none=True)
    jwks_uri = fields.String(required=True, allow_none=True)
    options = fields.Dict(required=True)
    secrets = fields.List(fields.Nested(SecretSchema), required=True)
    ends_soon_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When a secret or key ends, within a month"}
    )
    keys_failing_since = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "Since when no keys are found at `jwks_uri`"}
    )
    waiting = fields.Nested(RequestSchema, required=True, allow_none=True)


class ApplicationsQuery(ListQuery):
    """Nothing more than any list may be asked."""
