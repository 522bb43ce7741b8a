"""Shapes of usage."""

from __future__ import annotations

from catalogue.agreements.rules import CODE
from kernel.api import fields
from kernel.api.api_fields import Query, Schema, coded
from kernel.base.errors import _

AN_AGREEMENT = _("Write the code of an agreement, such as ACU-2026-000001.")


class UsageQuery(Query):
    agreement = coded(
        CODE,
        AN_AGREEMENT,
        metadata={"description": "Code of an agreement of your agency", "example": "ACU-2026-000001"},
    )


class DaySchema(Schema):
    day = fields.Date(required=True, metadata={"description": "A day in America/Santiago"})
    calls = fields.Integer(required=True)
    failed = fields.Integer(required=True, metadata={"description": "Calls that ended in a failure of either side"})
    unfinished = fields.Integer(
        required=True, metadata={"description": "Calls under way, and those whose end could not be written down"}
    )
    milliseconds = fields.Integer(required=True, metadata={"description": "Median time of a call"})


class UsageSchema(Schema):
    """The last thirty days of an agreement, the oldest first."""

    agreement = fields.String(required=True)
    daily_calls = fields.Integer(required=True, metadata={"description": "Calls that may be made on a day"})
    left_today = fields.Integer(
        required=True, metadata={"description": "How many of them are left, by the day in Santiago"}
    )
    items = fields.List(fields.Nested(DaySchema), required=True)
    next = fields.String(allow_none=True, required=True)
