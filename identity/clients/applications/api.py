"""An agency's applications as JSON, for the systems that it lets manage them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, url_for

from identity.clients.applications.schemas import (
    CLIENT_ID,
    SECRET,
    ApplicationBody,
    ApplicationSchema,
    ApplicationsQuery,
    EnvironmentBody,
    KeysBody,
    LogoBody,
    NewApplicationBody,
    NewSecretSchema,
)
from identity.clients.client_reviews import actions as reviews
from identity.clients.client_reviews.queries import PendingReview, find_pending, pending_by_client
from identity.clients.client_secrets.rules import active_secrets
from identity.clients.expiry.queries import warnings_of
from identity.clients.logos import actions as logos
from identity.clients.logos.rules import from_base64
from identity.clients.registry import actions, queries
from identity.clients.registry.rules import Registration
from kernel.api.api_fields import path
from kernel.api.interface import Blueprint
from kernel.base import clock
from kernel.base.parties import Party
from kernel.jobs.access import current_principal, requires, scope

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

endpoints = Blueprint(
    "applications_api",
    __name__,
    url_prefix="/api/v1/applications",
    title="Applications",
    description="The applications of an agency that people sign in to",
)
MANAGE = scope("applications.manage")
ONE = [path("client_id", CLIENT_ID, "The application's identifier", "0123456789abcdef0123456789abcdef")]
ONE_SECRET = [*ONE, path("secret", SECRET, "The secret's code", "9f86d081884c7d65")]
NOT_FOUND = "No application of your agency has this identifier"
REVOKED = "The application was revoked, or something about it is already waiting for the authority"


@endpoints.route("", methods=["GET"])
@endpoints.arguments(ApplicationsQuery, location="query")
@endpoints.page(ApplicationSchema)
@requires(MANAGE)
def list_applications(query: dict[str, Any]) -> Response:
    """The agency's applications, the newest first, revoked ones among them"""
    page = queries.applications_page(_owner(), cursor=query["cursor"], limit=query["limit"])
    requests = pending_by_client([client.client_id for client in page.items])
    return page.as_json(lambda client: ApplicationSchema().dump(_shown(client, requests.get(client.client_id))))


@endpoints.route("", methods=["POST"])
@endpoints.arguments(NewApplicationBody)
@endpoints.response(201, ApplicationSchema)
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(MANAGE)
def register_application(body: dict[str, Any]) -> dict[str, Any]:
    """Register an application in the sandbox, and ask for another environment; its secret is shown once"""
    environment = body.pop("environment")
    return _told(reviews.register_application(Registration(**body), environment, _owner()))


@endpoints.route("/<client_id>", methods=["GET"], parameters=ONE)
@endpoints.response(200, ApplicationSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def show_application(client_id: str) -> dict[str, Any]:
    """One application"""
    return _shown(queries.application_of(_owner(), client_id), find_pending(client_id))


@endpoints.route("/<client_id>", methods=["PUT"], parameters=ONE)
@endpoints.arguments(ApplicationBody)
@endpoints.response(200, ApplicationSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description=REVOKED)
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(MANAGE)
def change_application(body: dict[str, Any], client_id: str) -> dict[str, Any]:
    """Replace the registration; what the authority has to approve waits, and the current one stays in use"""
    return _told(reviews.change_application(_application(client_id), Registration(**body)))


@endpoints.route("/<client_id>/keys", methods=["PUT"], parameters=ONE)
@endpoints.arguments(KeysBody)
@endpoints.response(200, ApplicationSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description=REVOKED)
@endpoints.alt_response(422, description="The keys cannot be used, or the application needs some")
@requires(MANAGE)
def replace_keys(body: dict[str, Any], client_id: str) -> dict[str, Any]:
    """Replace the public keys, or the address where they are published"""
    return _told(reviews.replace_keys(_application(client_id), body["jwks"], body["jwks_uri"]))


@endpoints.route("/<client_id>/secrets", methods=["POST"], parameters=ONE)
@endpoints.response(201, NewSecretSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description="The application was revoked, or proves who it is without a secret")
@requires(MANAGE)
def make_secret(client_id: str) -> dict[str, Any]:
    """A new secret, shown only this once; the previous one works for seven more days"""
    owner = _application(client_id).owner
    secret = actions.rotate_secret(client_id, owner=owner)
    secrets = active_secrets(queries.client_of(owner, client_id).secrets, clock.now())
    return {"client_id": client_id, "secret": secret, "secrets": secrets}


@endpoints.route("/<client_id>/secrets/<secret>", methods=["DELETE"], parameters=ONE_SECRET)
@endpoints.response(204)
@endpoints.alt_response(404, description="No secret that works has this code")
@endpoints.alt_response(409, description="The application was revoked, or has no other secret")
@requires(MANAGE)
def withdraw_secret(client_id: str, secret: str) -> None:
    """End one of two secrets at once"""
    actions.revoke_secret(client_id, secret, owner=_application(client_id).owner)


@endpoints.route("/<client_id>/logo", methods=["PUT"], parameters=ONE)
@endpoints.arguments(LogoBody)
@endpoints.response(200, ApplicationSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description=REVOKED)
@endpoints.alt_response(422, description="This is not a picture that can be shown")
@requires(MANAGE)
def change_logo(body: dict[str, Any], client_id: str) -> dict[str, Any]:
    """Show a picture with the application; for one in use, when the authority has approved it"""
    return _told(logos.change_logo(_application(client_id), from_base64(body["png"])))


@endpoints.route("/<client_id>/logo", methods=["DELETE"], parameters=ONE)
@endpoints.response(204)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description=REVOKED)
@requires(MANAGE)
def remove_logo(client_id: str) -> None:
    """Show no picture"""
    logos.remove_logo(_application(client_id))


@endpoints.route("/<client_id>/request", methods=["POST"], parameters=ONE)
@endpoints.arguments(EnvironmentBody)
@endpoints.response(201, ApplicationSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description=REVOKED)
@endpoints.alt_response(422, description="Something in the application must be corrected first")
@requires(MANAGE)
def ask_for_environment(body: dict[str, Any], client_id: str) -> dict[str, Any]:
    """Ask the authority to let an application into certification or production"""
    reviews.ask_for_environment(client_id, body["environment"], owner=_application(client_id).owner)
    return _shown(queries.application_of(_owner(), client_id), find_pending(client_id))


@endpoints.route("/<client_id>/request", methods=["DELETE"], parameters=ONE)
@endpoints.response(204)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description="The application was revoked")
@requires(MANAGE)
def withdraw_request(client_id: str) -> None:
    """Withdraw what is waiting for the authority, if anything is"""
    reviews.withdraw_request(client_id, owner=_application(client_id).owner)


@endpoints.route("/<client_id>", methods=["DELETE"], parameters=ONE)
@endpoints.response(204)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def revoke_application(client_id: str) -> None:
    """End an application for good: nobody can sign in to it any more. Repeating this changes nothing"""
    actions.revoke_client(client_id, owner=_application(client_id).owner)


def _owner() -> Party:
    return Party.agency(current_principal().acting_agency.code)


def _application(client_id: str) -> Client:
    return queries.application_of(_owner(), client_id)


def _told(changed: reviews.ChangeResult) -> dict[str, Any]:
    body = _shown(changed.client, find_pending(changed.client.client_id))
    return body | ({"secret": changed.secret} if changed.secret is not None else {})


def _shown(client: Any, pending: PendingReview | None) -> dict[str, Any]:
    """All that is registered, and what its owner should know of it."""
    registered = vars(queries.registration_of(client))
    names = ("client_id", "environment", "approved_by", "approved_at", "revoked_at", "created_at")
    warnings = warnings_of(client)
    return {
        **registered,
        **{name: getattr(client, name) for name in names},
        "logo": url_for("logos.picture", sha256=client.logo, _external=True) if client.logo else None,
        "secrets": active_secrets(client.secrets, clock.now()),
        "ends_soon_at": warnings.ends_at,
        "keys_failing_since": warnings.keys_failing_since,
        "waiting": {
            "environment": pending.request.environment,
            "changes": [one.name for one in pending.differences],
            "asked_by": pending.request.asked_by,
            "asked_at": pending.request.asked_at,
        }
        if pending
        else None,
    }
