"""Officials as the API shows them."""

from __future__ import annotations

from kernel.api import fields
from kernel.api.api_fields import Schema


class AppointmentSchema(Schema):
    """A function at an agency, and the person who holds it or stands in."""

    function = fields.String(
        required=True, metadata={"description": "Its name; blocks may add functions", "example": "head"}
    )
    person = fields.String(required=True, metadata={"description": "Their name"})
    is_deputy = fields.Boolean(required=True)
    starts_on = fields.Date(required=True, metadata={"description": "The first day of the term, in Chile"})
    ends_on = fields.Date(required=True, allow_none=True, metadata={"description": "The last day; null without one"})
    norm = fields.String(required=True, metadata={"description": "The norm or resolution that appoints"})


class AppointmentsSchema(Schema):
    items = fields.List(fields.Nested(AppointmentSchema), required=True)
    next = fields.String(required=True, allow_none=True, metadata={"description": "Always null: the list is whole"})
