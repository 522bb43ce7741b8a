"""A person's account as the API shows it."""

from __future__ import annotations

import marshmallow as ma

CLIENT_ID = r"[0-9a-f]{32}"


class SharedApplicationSchema(ma.Schema):
    """An application that the person shares data with."""

    client_id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    agency = ma.fields.String(
        required=True, attribute="agency_name", allow_none=True, metadata={"description": "Whose application it is"}
    )
    scopes = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "What is shared"})
    given_at = ma.fields.AwareDateTime(required=True, metadata={"description": "When the person agreed last"})
    last_used_at = ma.fields.AwareDateTime(required=True, metadata={"description": "When they last signed in to it"})
