"""Agencies as the API shows them."""

from __future__ import annotations

import marshmallow as ma


class AgencySchema(ma.Schema):
    """An agency of the state."""

    code = ma.fields.String(
        required=True, metadata={"description": "Its code of the state codes manager", "example": "AE001"}
    )
    name = ma.fields.String(required=True)
