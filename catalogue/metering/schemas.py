"""Shapes of usage."""

from __future__ import annotations

import marshmallow as ma

from catalogue.agreements.rules import CODE
from kernel.shapes import Query, coded


class UsageQuery(Query):
    agreement = coded(
        CODE, metadata={"description": "Code of an agreement of your agency", "example": "ACU-2026-000001"}
    )


class DaySchema(ma.Schema):
    day = ma.fields.Date(required=True, metadata={"description": "A day in America/Santiago"})
    calls = ma.fields.Integer(required=True)
    failed = ma.fields.Integer(required=True, metadata={"description": "Calls that ended in a failure of either side"})
    milliseconds = ma.fields.Integer(required=True, metadata={"description": "Median time of a call"})


class UsageSchema(ma.Schema):
    """The last thirty days of an agreement, the oldest first."""

    agreement = ma.fields.String(required=True)
    daily_calls = ma.fields.Integer(required=True, metadata={"description": "Calls that may be made on a day"})
    left_today = ma.fields.Integer(required=True, metadata={"description": "How many of them are left, in Santiago"})
    items = ma.fields.List(ma.fields.Nested(DaySchema), required=True)
    next = ma.fields.String(allow_none=True, required=True)
