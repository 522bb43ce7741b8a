"""The parties' systems download the receipts of communications."""

from __future__ import annotations

from flask import Response

from interoperability.communications.api import ONE, a_party
from interoperability.receipts import actions
from kernel.api.interface import Blueprint
from kernel.jobs.access import current_principal, requires

endpoints = Blueprint(
    "receipts_api",
    __name__,
    url_prefix="/api/v1/communications",
    description="Receipts of communications, which anyone verifies offline",
)


@endpoints.get("/<code>/receipt", parameters=ONE)
@endpoints.response(200, {"type": "object"})
@endpoints.alt_response(404, description="No such communication, or another agency's")
@endpoints.alt_response(409, description="The last step is not sealed yet: try again after Retry-After")
@endpoints.doc(operationId="downloadReceipt")
@requires(a_party)
def receipt(code: str) -> Response:
    """The receipt that anyone verifies offline. Keep the file as it came: any change breaks it."""
    return Response(actions.write_receipt(current_principal(), code), mimetype="application/json")
