"""Shapes of agreements."""

from __future__ import annotations

import marshmallow as ma

from catalogue.agreements.rules import LEGAL_BASIS_LENGTH, MOST_DAILY_CALLS, PURPOSE_LENGTH, Side, Status
from catalogue.services.rules import CODE, VERSION


class AgreementsQuery(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    side = ma.fields.String(
        load_default="",
        validate=ma.validate.OneOf(["", *(str(side) for side in Side)]),
        metadata={"description": "As whom your agency takes part; empty for both"},
    )
    cursor = ma.fields.String(load_default=None, metadata={"description": "The `next` of the page before"})
    limit = ma.fields.Integer(load_default=None, allow_none=False, validate=ma.validate.Range(1, 100))


class AgreementRequestSchema(ma.Schema):
    """What an agency's system sends to ask for an agreement."""

    service = ma.fields.String(required=True, validate=ma.validate.Regexp(f"^{CODE.pattern}$"))
    version = ma.fields.String(required=True, validate=ma.validate.Regexp(f"^{VERSION.pattern}$"))
    purpose = ma.fields.String(required=True, validate=ma.validate.Length(1, PURPOSE_LENGTH))
    legal_basis = ma.fields.String(required=True, validate=ma.validate.Length(1, LEGAL_BASIS_LENGTH))
    personal_data = ma.fields.Boolean(
        required=True, truthy={True}, falsy={False}, metadata={"description": "Whether personal data passes"}
    )
    daily_calls = ma.fields.Integer(
        required=True,
        strict=True,
        validate=ma.validate.Range(1, MOST_DAILY_CALLS),
        metadata={"description": "Expected"},
    )


class AgreementSchema(ma.Schema):
    """An agreement between a consumer and the owner of a service."""

    code = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf([str(one) for one in Status]))
    service = ma.fields.String(required=True, attribute="service_code")
    service_name = ma.fields.String(required=True)
    version = ma.fields.String(required=True)
    owner = ma.fields.String(required=True, metadata={"description": "Code of the agency that offers the service"})
    consumer = ma.fields.String(required=True, metadata={"description": "Code of the agency that uses it"})
    purpose = ma.fields.String(required=True)
    legal_basis = ma.fields.String(required=True)
    personal_data = ma.fields.Boolean(required=True)
    daily_calls = ma.fields.Integer(required=True)
    reasons = ma.fields.String(required=True, metadata={"description": "Why it was refused, suspended or ended"})
    requested_at = ma.fields.DateTime(required=True)
    answer_by = ma.fields.DateTime(required=True, metadata={"description": "Until when the owner has to answer"})
    decided_at = ma.fields.DateTime(required=True, allow_none=True)
    client_id = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The credentials in use, once the consumer made them"}
    )


class AgreementsSchema(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(AgreementSchema), required=True)
    next = ma.fields.String(
        allow_none=True, required=True, metadata={"description": "Cursor of the next page, null at the end"}
    )
