"""Agencies as the API shows them."""

from __future__ import annotations

from kernel.api import fields
from kernel.api.api_fields import Schema


class AgencySchema(Schema):
    """An agency of the state."""

    code = fields.String(
        required=True, metadata={"description": "Its code of the state codes manager", "example": "AE001"}
    )
    name = fields.String(required=True)
