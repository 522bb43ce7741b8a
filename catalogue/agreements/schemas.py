"""Shapes of agreements."""

from __future__ import annotations

import marshmallow as ma

from catalogue.agreements.rules import LEGAL_BASIS_LENGTH, MOST_DAILY_CALLS, PURPOSE_LENGTH, Side, Status
from catalogue.services.rules import CODE, VERSION
from kernel.shapes import Body, ListQuery, Whole, coded, lines


class AgreementsQuery(ListQuery):
    side = ma.fields.String(
        load_default=str,
        validate=ma.validate.OneOf([str(side) for side in Side]),
        metadata={"description": "As whom your agency takes part; both if not given"},
    )


class AgreementRequestSchema(Body):
    """What an agency's system sends to ask for an agreement."""

    service = coded(CODE, metadata={"example": "SRV-000001"})
    version = coded(VERSION, metadata={"example": "v1"})
    purpose = lines(PURPOSE_LENGTH, metadata={"example": "Validar la comuna del domicilio de quien postula."})
    legal_basis = lines(LEGAL_BASIS_LENGTH, metadata={"example": "Ley 21.180, artículo 1"})
    personal_data = ma.fields.Boolean(
        required=True, truthy={True}, falsy={False}, metadata={"description": "Whether personal data passes"}
    )
    daily_calls = Whole(
        required=True,
        validate=ma.validate.Range(1, MOST_DAILY_CALLS),
        metadata={
            "description": "Calls that may pass the gateway from one midnight, in Santiago, to the next",
            "example": 500,
        },
    )


class AgreementSchema(ma.Schema):
    """An agreement between a consumer and the owner of a service."""

    code = ma.fields.String(required=True, metadata={"example": "ACU-2026-000001"})
    status = ma.fields.String(required=True, validate=ma.validate.OneOf([str(one) for one in Status]))
    service = ma.fields.String(required=True, attribute="service_code", metadata={"example": "SRV-000001"})
    service_name = ma.fields.String(required=True)
    version = ma.fields.String(required=True, metadata={"example": "v1"})
    owner = ma.fields.String(
        required=True, metadata={"description": "Code of the agency that offers the service", "example": "AE002"}
    )
    consumer = ma.fields.String(
        required=True, metadata={"description": "Code of the agency that uses it", "example": "AE003"}
    )
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
