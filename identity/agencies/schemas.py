"""Agencies as the API shows them."""

from __future__ import annotations

import marshmallow as ma


class AgencySchema(ma.Schema):
    """An agency of the state."""

    code = ma.fields.String(
        required=True, metadata={"description": "Its code of the state codes manager", "example": "AE001"}
    )
    name = ma.fields.String(required=True)


class AgencyPageSchema(ma.Schema):
    """Some agencies, and the cursor of what follows."""

    items = ma.fields.List(ma.fields.Nested(AgencySchema), required=True)
    next = ma.fields.String(required=True, allow_none=True, metadata={"description": "Null at the end"})


class PageQuerySchema(ma.Schema):
    """Which part of the list."""

    cursor = ma.fields.String(metadata={"description": "`next` of the answer before"})
    limit = ma.fields.Integer(validate=ma.validate.Range(1, 100), metadata={"description": "25 if not given"})
