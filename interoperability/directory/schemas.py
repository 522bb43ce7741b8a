"""The shapes of agencies' keys."""

from __future__ import annotations

from kernel.api import fields, validators
from kernel.api.api_fields import Body, Schema, line, lines
from kernel.api.validators import Matches
from kernel.base.errors import _

A_JWS = _("Write a JWS in the compact form: three parts in base64url with dots between.")
JWS = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
PUBLIC_KEY = (
    '{"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", '
    '"y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}'
)
PROOF = "eyJhbGciOiJFUzI1NiIsImtpZCI6Ik56YkxzWGg4In0.eyJhZ2VuY3kiOiJBRTAwMSJ9.c2lnbmF0dXJl"
THUMBPRINT = r"[A-Za-z0-9_-]{43}"


class NewKeySchema(Body):
    name = line(100, 3, metadata={"example": "Sistema de gestión documental"})
    public_key = fields.String(
        required=True,
        validate=validators.Length(1, 10_000),
        metadata={"description": "As PEM, or a JWK as text", "example": PUBLIC_KEY},
    )
    proof = fields.String(
        required=True,
        validate=[
            validators.Length(1, 10_000),
            Matches(JWS, A_JWS),
        ],
        metadata={
            "description": 'A compact JWS by the key over {"agency", "thumbprint" (RFC 7638), "platform", "issued_at"}',
            "example": PROOF,
        },
    )


class RevocationSchema(Body):
    reason = lines(500, 3, metadata={"example": "Se perdió el equipo que la guardaba."})


class KeySchema(Schema):
    thumbprint = fields.String(required=True)
    agency = fields.String(required=True)
    name = fields.String(required=True)
    algorithm = fields.String(required=True)
    held_by = fields.String(required=True, validate=validators.OneOf(["agency", "platform"]))
    jwk = fields.Dict(required=True)
    registered_at = fields.AwareDateTime(required=True, format="iso")
    registered_by = fields.String(required=True)
    revoked_at = fields.AwareDateTime(required=True, format="iso", allow_none=True)
    revocation_reason = fields.String(required=True, allow_none=True)
