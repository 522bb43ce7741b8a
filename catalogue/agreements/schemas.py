"""Shapes of agreements."""

from __future__ import annotations

from catalogue.agreements.rules import LEGAL_BASIS_LENGTH, MOST_DAILY_CALLS, PURPOSE_LENGTH, Side, Status
from catalogue.services.rules import CODE, VERSION
from catalogue.services.schemas import A_VERSION
from kernel.api import fields, validators
from kernel.api.api_fields import Body, ListQuery, Schema, coded, lines
from kernel.base.errors import _


class AgreementsQuery(ListQuery):
    side = fields.String(
        load_default=str,
        validate=validators.OneOf([str(side) for side in Side]),
        metadata={"description": "The side on which your agency takes part; both if not given"},
    )


class AgreementRequestSchema(Body):
    """The request for an agreement, as an agency's system sends it."""

    service = coded(CODE, _("Write the code of a service, such as SRV-000001."), metadata={"example": "SRV-000001"})
    version = coded(VERSION, A_VERSION, metadata={"example": "v1"})
    purpose = lines(PURPOSE_LENGTH, metadata={"example": "Validar la comuna del domicilio de quien postula."})
    legal_basis = lines(LEGAL_BASIS_LENGTH, metadata={"example": "Ley 21.180, artículo 1"})
    personal_data = fields.Boolean(required=True, metadata={"description": "Whether personal data is exchanged"})
    daily_calls = fields.Whole(
        required=True,
        validate=validators.Range(1, MOST_DAILY_CALLS),
        metadata={
            "description": "Calls that may pass the gateway from one midnight, in Santiago, to the next",
            "example": 500,
        },
    )


class AgreementSchema(Schema):
    """An agreement between a consumer and the owner of a service."""

    code = fields.String(required=True, metadata={"example": "ACU-2026-000001"})
    status = fields.String(required=True, validate=validators.OneOf([str(one) for one in Status]))
    service = fields.String(required=True, attribute="service_code", metadata={"example": "SRV-000001"})
    service_name = fields.String(required=True)
    version = fields.String(required=True, metadata={"example": "v1"})
    owner = fields.String(
        required=True, metadata={"description": "Code of the agency that offers the service", "example": "AE002"}
    )
    consumer = fields.String(
        required=True, metadata={"description": "Code of the agency that uses it", "example": "AE003"}
    )
    purpose = fields.String(required=True)
    legal_basis = fields.String(required=True)
    personal_data = fields.Boolean(required=True)
    daily_calls = fields.Integer(required=True)
    reasons = fields.String(required=True, metadata={"description": "Why it was refused, suspended or ended"})
    requested_at = fields.DateTime(required=True)
    answer_by = fields.DateTime(required=True, metadata={"description": "When the owner must answer by"})
    decided_at = fields.DateTime(required=True, allow_none=True)
    client_id = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The credentials in use, once the consumer has created them"},
    )
