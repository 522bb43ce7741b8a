"""The shapes of agencies' keys."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

NAME = [validate.Length(3, 100), validate.Regexp(r"[^\x00-\x1f\x7f\ud800-\udfff]+\Z")]
REASON = [validate.Length(3, 500), validate.Regexp(r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]+\Z")]


class NewKeySchema(ma.Schema):
    name = fields.String(required=True, validate=NAME)
    public_key = fields.String(
        required=True, validate=validate.Length(1, 10_000), metadata={"description": "As PEM, or a JWK as text"}
    )
    proof = fields.String(
        required=True,
        validate=validate.Length(1, 10_000),
        metadata={
            "description": 'A compact JWS by the key over {"agency", "thumbprint" (RFC 7638), "platform", "issued_at"}'
        },
    )


class RevocationSchema(ma.Schema):
    reason = fields.String(required=True, validate=REASON)


class KeySchema(ma.Schema):
    thumbprint = fields.String(required=True)
    agency = fields.String(required=True)
    name = fields.String(required=True)
    algorithm = fields.String(required=True)
    held_by = fields.String(required=True, validate=validate.OneOf(["agency", "platform"]))
    jwk = fields.Dict(required=True)
    registered_at = fields.AwareDateTime(required=True, format="iso")
    registered_by = fields.String(required=True)
    revoked_at = fields.AwareDateTime(required=True, format="iso", allow_none=True)
    revocation_reason = fields.String(required=True, allow_none=True)


class KeyPageSchema(ma.Schema):
    items = fields.List(fields.Nested(KeySchema), required=True)
    next = fields.String(required=True, allow_none=True)


class KeyPageQuerySchema(ma.Schema):
    cursor = fields.String(load_default=None)
    limit = fields.Integer(load_default=None, validate=validate.Range(1, 100))
