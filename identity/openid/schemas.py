"""A person's account as the API shows it."""

from __future__ import annotations

from kernel.api import fields
from kernel.api.api_fields import Schema

CLIENT_ID = r"[0-9a-f]{32}"


class SharedApplicationSchema(Schema):
    """An application that the person shares data with."""

    client_id = fields.String(required=True)
    name = fields.String(required=True)
    agency = fields.String(
        required=True, attribute="agency_name", allow_none=True, metadata={"description": "Whose application it is"}
    )
    scopes = fields.List(fields.String(), required=True, metadata={"description": "What is shared"})
    given_at = fields.AwareDateTime(required=True, metadata={"description": "When the person last agreed"})
    last_used_at = fields.AwareDateTime(required=True, metadata={"description": "When they last signed in to it"})
