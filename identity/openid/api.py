"""A person's own account, through an application that they let see it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from identity.authentication.sessions.rules import ACR_TWO_FACTORS
from identity.openid.authorization import actions
from identity.openid.authorization.queries import applications_entered_by
from identity.openid.grants.step_up import signed_in_with
from identity.openid.schemas import CLIENT_ID, SharedApplicationSchema
from kernel.api.api_fields import path
from kernel.api.interface import Blueprint
from kernel.base.errors import NotFound
from kernel.jobs.access import current_principal, person_scope, requires

endpoints = Blueprint(
    "account_api",
    __name__,
    url_prefix="/api/v1/account",
    title="A person's account",
    description="What a person shares, through an application that they let see it",
)
ACCOUNT = person_scope("account")
JUST_NOW_WITH_TWO_FACTORS = signed_in_with(ACR_TWO_FACTORS, max_age=15 * 60)
"""The rule for changes that cannot be undone in the person's name: it wants the person, and more than somebody who
knows their password.
"""


@endpoints.route("/applications", methods=["GET"])
@endpoints.page(SharedApplicationSchema, "All of them")
@requires(ACCOUNT)
def list_shared_applications() -> dict[str, Any]:
    """The applications that the person shares data with, the most recently used first"""
    return {"items": applications_entered_by(UUID(current_principal().id)), "next": None}


@endpoints.route(
    "/applications/<client_id>",
    methods=["DELETE"],
    parameters=[path("client_id", CLIENT_ID, "The application's identifier", "0123456789abcdef0123456789abcdef")],
)
@endpoints.response(204)
@endpoints.alt_response(
    401, description="The token is not valid, or the person must sign in with two factors first (RFC 9470)"
)
@endpoints.alt_response(404, description="The person shares nothing with an application of this identifier")
@requires(ACCOUNT, JUST_NOW_WITH_TWO_FACTORS)
def withdraw_from_application(client_id: str) -> None:
    """Stop sharing with an application, and end every token that it holds of the person

    The person must have signed in with two factors in the last 15 minutes. Otherwise the answer is 401, with the error
    `insufficient_user_authentication` and the `acr_values` and `max_age` to send the person to sign in with (RFC 9470).
    """
    if not actions.withdraw_consent(UUID(current_principal().id), client_id):
        raise NotFound()
