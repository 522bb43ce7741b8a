"""Agencies as the API shows them."""

from __future__ import annotations

from kernel import fields
from kernel.shapes import Schema


class AgencySchema(Schema):
    """An agency of the state."""

    code = fields.String(
        required=True, metadata={"description": "Its code of the state codes manager", "example": "AE001"}
    )
    name = fields.String(required=True)
