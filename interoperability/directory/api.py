"""An agency's system registers and revokes the keys that the agency signs with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response

from interoperability.directory import actions, queries
from interoperability.directory.schemas import (
    THUMBPRINT,
    KeySchema,
    NewKeySchema,
    RevocationSchema,
)
from kernel.api.api_fields import ListQuery, path
from kernel.api.interface import Blueprint
from kernel.jobs.access import current_principal, requires, scope

if TYPE_CHECKING:
    from interoperability.directory.models import AgencyKey

endpoints = Blueprint(
    "directory_api",
    __name__,
    title="Keys",
    url_prefix="/api/v1/keys",
    description="The keys that agencies sign communications with",
)
KEYS = "directory.keys"


@endpoints.get("")
@endpoints.arguments(ListQuery, location="query")
@endpoints.page(KeySchema)
@endpoints.doc(operationId="listKeys")
@requires(scope(KEYS))
def own_keys(query: dict[str, Any]) -> Response:
    """The agency's keys, revoked ones included, the newest first."""
    keys = queries.page_of_keys(current_principal().acting_agency.code, query["cursor"], query["limit"])
    return keys.as_json(KeySchema().dump)


@endpoints.post("")
@endpoints.arguments(NewKeySchema)
@endpoints.response(201, KeySchema)
@endpoints.alt_response(409, description="The key is registered already")
@endpoints.alt_response(422, description="The key is not accepted, or its proof of possession is not valid")
@endpoints.doc(operationId="registerKey")
@requires(scope(KEYS))
def register(new: dict[str, str]) -> AgencyKey:
    """Register the public half of a key, with a proof that the agency holds the private one."""
    return actions.register_key(current_principal(), new["name"], new["public_key"], new["proof"])


@endpoints.post(
    "/<thumbprint>/revocation",
    parameters=[
        path("thumbprint", THUMBPRINT, "The key's RFC 7638 thumbprint", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    ],
)
@endpoints.arguments(RevocationSchema)
@endpoints.response(200, KeySchema)
@endpoints.alt_response(404, description="The agency has no such key")
@endpoints.doc(operationId="revokeKey")
@requires(scope(KEYS))
def revoke(reason: dict[str, str], thumbprint: str) -> AgencyKey:
    """Revoke a key: from now on, nothing it signs is accepted; what it signed before remains valid."""
    return actions.revoke_key(current_principal(), thumbprint, reason["reason"])
