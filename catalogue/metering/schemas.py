"""Shapes of usage."""

from __future__ import annotations

import marshmallow as ma


class UsageQuery(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    agreement = ma.fields.String(required=True, metadata={"description": "Code of an agreement of your agency"})


class DaySchema(ma.Schema):
    day = ma.fields.Date(required=True, metadata={"description": "A day in America/Santiago"})
    calls = ma.fields.Integer(required=True)
    failed = ma.fields.Integer(required=True, metadata={"description": "Calls that ended in a failure of either side"})
    milliseconds = ma.fields.Integer(required=True, metadata={"description": "Median time of a call"})


class UsageSchema(ma.Schema):
    """The last thirty days of an agreement, the oldest first."""

    agreement = ma.fields.String(required=True)
    items = ma.fields.List(ma.fields.Nested(DaySchema), required=True)
    next = ma.fields.String(allow_none=True, required=True)
