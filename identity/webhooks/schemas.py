"""Shapes of subscriptions and deliveries."""

from __future__ import annotations

from identity.clients.applications.schemas import CLIENT_ID
from kernel.api import fields, validators
from kernel.api.api_fields import Body, ListQuery, Schema, coded, line
from kernel.base.errors import _
from kernel.outside.deliveries_rules import Outcome, Status
from kernel.outside.deliveries_subscriptions import LONGEST_NAME, LONGEST_URL, State

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
AN_ID = "0190a0b0-0000-7000-8000-000000000001"
AN_ADDRESS = "https://hooks.agencia.cl/cordillera"
AN_EVENT = "agreement.activated"
A_TYPE = r"[a-z]+(\.[a-z_]+)+"
A_CLIENT = "0123456789abcdef0123456789abcdef"


class SubscriptionBody(Body):
    """A subscription as its owner describes it, all of it."""

    name = line(LONGEST_NAME, metadata={"description": "For whoever reads the list", "example": "Convenios"})
    url = fields.String(
        required=True,
        validate=validators.Length(8, LONGEST_URL),
        metadata={"description": "A public https address", "example": AN_ADDRESS},
    )
    types = fields.List(
        coded(A_TYPE, _("Write the name of an event, such as agreement.activated.")),
        required=True,
        validate=validators.Length(1, 100),
        metadata={"description": "The events to send", "example": [AN_EVENT]},
    )


class NewSubscriptionBody(SubscriptionBody):
    """A subscription to begin: of the agency, or of one of its applications."""

    client_id = coded(
        CLIENT_ID,
        _("Write the identifier of an application of your agency."),
        required=False,
        load_default=None,
        allow_none=True,
        metadata={"description": "The application whose subscription it is; the agency's own if none is named"},
    )


class ReplayBody(Body):
    """The time from which on everything is sent again."""

    since = fields.AwareDateTime(required=True, metadata={"example": "2026-03-01T09:30:00-03:00"})
    only_failed = fields.Boolean(
        load_default=True, metadata={"description": "Whether what arrived is left out", "example": True}
    )


class SubscriptionSchema(Schema):
    """A subscription. Its secret is shown only where it was just made."""

    id = fields.String(required=True, metadata={"example": AN_ID})
    client_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The application; null for the agency's own"}
    )
    name = fields.String(required=True)
    url = fields.String(required=True)
    types = fields.List(fields.String(), required=True)
    state = fields.String(required=True, validate=validators.OneOf([str(one) for one in State]))
    state_since = fields.DateTime(required=True)
    reason = fields.String(required=True, metadata={"description": "Why it was disabled: `gone`, `failing`"})
    failing_since = fields.DateTime(required=True, allow_none=True)
    previous_until = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "Until when the secret before signs as well"}
    )
    created_at = fields.DateTime(required=True)
    secret = fields.String(metadata={"description": "Only where it was just made, and shown only this once"})


class AttemptSchema(Schema):
    """One attempt to deliver."""

    number = fields.Integer(required=True)
    at = fields.DateTime(required=True)
    address = fields.String(required=True)
    milliseconds = fields.Integer(required=True)
    outcome = fields.String(required=True, validate=validators.OneOf([str(one) for one in Outcome]))
    status = fields.Integer(required=True, allow_none=True, metadata={"description": "What the server answered"})
    answer = fields.String(required=True, metadata={"description": "How its answer begins"})


class DeliverySchema(Schema):
    """Something that is sent to one server, under one `webhook-id` over all attempts."""

    id = fields.String(required=True, metadata={"description": "The `webhook-id`", "example": AN_ID})
    subscription = fields.String(required=True, allow_none=True, attribute="subscription_id")
    type = fields.String(required=True, attribute="topic", metadata={"example": AN_EVENT})
    status = fields.String(required=True, validate=validators.OneOf([str(one) for one in Status]))
    created_at = fields.DateTime(required=True, attribute="at")
    next_attempt_at = fields.DateTime(required=True, allow_none=True)


class DeliveryWithAttemptsSchema(DeliverySchema):
    """A delivery and its attempts, in their order."""

    attempts = fields.List(fields.Nested(AttemptSchema), required=True)


class EventTypeSchema(Schema):
    """A type of event that can be subscribed to."""

    name = fields.String(required=True, metadata={"example": AN_EVENT})
    title = fields.String(required=True)
    description = fields.String(required=True)
    of_clients = fields.Boolean(
        required=True, metadata={"description": "Whether an application may subscribe to it for itself"}
    )
    example = fields.Dict(required=True, metadata={"description": "The `data` of one"})


class EventTypesSchema(Schema):
    """Every type of event."""

    items = fields.List(fields.Nested(EventTypeSchema), required=True)


class SubscriptionsQuery(ListQuery):
    """Nothing more than any list may be asked."""


class DeliveriesQuery(ListQuery):
    subscription = fields.String(
        load_default=str,
        validate=validators.Length(36, 36),
        metadata={"description": "Only those of one subscription"},
    )
    client_id = coded(
        CLIENT_ID,
        _("Write the identifier of an application of your agency."),
        required=False,
        load_default=str,
        metadata={"description": "Only those of one application, the ends of sessions among them"},
    )
    status = fields.String(
        load_default=str,
        validate=validators.OneOf([str(one) for one in Status]),
        metadata={"description": "Only those with this status"},
    )
