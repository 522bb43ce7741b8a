"""Subscriptions to events and what was sent, as JSON, for an agency's systems."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from identity.clients.registry.queries import application_of
from identity.clients.registry.rules import client_party
from identity.webhooks import schemas
from identity.webhooks.queries import parties_of
from identity.webhooks.rules import is_of_client
from kernel.api.api_fields import path
from kernel.api.interface import Blueprint
from kernel.base.errors import NotFound
from kernel.base.parties import Party
from kernel.jobs.access import current_principal, requires, scope
from kernel.outside import deliveries_lists, deliveries_subscriptions, deliveries_webhooks
from kernel.outside.deliveries import Delivery
from kernel.outside.deliveries_events import event_types
from kernel.outside.deliveries_lists import Owners
from kernel.outside.deliveries_subscriptions import Subscription, prepare_subscription

endpoints = Blueprint(
    "webhooks_api",
    __name__,
    url_prefix="/api/v1/webhooks",
    title="Webhooks",
    description="Events that we send to your server, signed as Standard Webhooks has it",
)
MANAGE = scope("webhooks.manage")
ONE = [path("subscription_id", schemas.UUID, "The subscription's identifier", schemas.AN_ID)]
ONE_DELIVERY = [path("delivery_id", schemas.UUID, "The delivery's identifier, the `webhook-id`", schemas.AN_ID)]
NOT_FOUND = "Your agency has no subscription with this identifier"
NO_DELIVERY = "Nothing was sent to your agency under this identifier"


@endpoints.route("/event-types", methods=["GET"])
@endpoints.response(200, schemas.EventTypesSchema)
@requires(MANAGE)
def list_event_types() -> dict[str, Any]:
    """The events that can be subscribed to, each with an example of its data"""
    return {"items": list(event_types().values())}


@endpoints.route("", methods=["GET"])
@endpoints.arguments(schemas.SubscriptionsQuery, location="query")
@endpoints.page(schemas.SubscriptionSchema)
@requires(MANAGE)
def list_subscriptions(query: dict[str, Any]) -> Response:
    """The subscriptions of your agency and of its applications, the newest first"""
    page = deliveries_subscriptions.subscriptions_page(_owners(), cursor=query["cursor"], limit=query["limit"])
    return page.as_json(lambda one: schemas.SubscriptionSchema().dump(_shown(one)))


@endpoints.route("", methods=["POST"])
@endpoints.arguments(schemas.NewSubscriptionBody)
@endpoints.response(201, schemas.SubscriptionSchema)
@endpoints.alt_response(404, description="Your agency has no such application")
@endpoints.alt_response(409, description="There are as many subscriptions as there may be")
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(MANAGE)
def create_subscription(body: dict[str, Any]) -> dict[str, Any]:
    """Subscribe to events; the secret that signs them is shown once"""
    client_id = body.pop("client_id")
    owner = client_party(application_of(_agency(), client_id).client_id) if client_id else str(_agency())
    facts = prepare_subscription(**body, of_client=is_of_client(owner))
    made = deliveries_subscriptions.create_subscription(owner, facts)
    return {**_shown(made.subscription), "secret": made.secret}


@endpoints.route("/<subscription_id>", methods=["GET"], parameters=ONE)
@endpoints.response(200, schemas.SubscriptionSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def show_subscription(subscription_id: str) -> dict[str, Any]:
    """One subscription"""
    return _shown(_subscription(subscription_id))


@endpoints.route("/<subscription_id>", methods=["PUT"], parameters=ONE)
@endpoints.arguments(schemas.SubscriptionBody)
@endpoints.response(200, schemas.SubscriptionSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(MANAGE)
def change_subscription(body: dict[str, Any], subscription_id: str) -> dict[str, Any]:
    """Replace its name, its address and its events; the secret stays"""
    subscription = _subscription(subscription_id)
    facts = prepare_subscription(**body, of_client=is_of_client(subscription.owner))
    return _shown(deliveries_subscriptions.change_subscription(_owners(), subscription.id, facts))


@endpoints.route("/<subscription_id>", methods=["DELETE"], parameters=ONE)
@endpoints.response(204)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def delete_subscription(subscription_id: str) -> None:
    """End a subscription; what is still to be sent is not"""
    deliveries_subscriptions.delete_subscription(_owners(), _id(subscription_id))


@endpoints.route("/<subscription_id>/secret", methods=["POST"], parameters=ONE)
@endpoints.response(201, schemas.SubscriptionSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def rotate_secret(subscription_id: str) -> dict[str, Any]:
    """A new secret, shown only this once; for a day both sign"""
    made = deliveries_subscriptions.rotate_secret(_owners(), _id(subscription_id))
    return {**_shown(made.subscription), "secret": made.secret}


@endpoints.route("/<subscription_id>/pause", methods=["POST"], parameters=ONE)
@endpoints.response(200, schemas.SubscriptionSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def pause_subscription(subscription_id: str) -> dict[str, Any]:
    """Send nothing until it is resumed. Repeating this changes nothing"""
    return _shown(deliveries_subscriptions.pause(_owners(), _id(subscription_id)))


@endpoints.route("/<subscription_id>/resume", methods=["POST"], parameters=ONE)
@endpoints.response(200, schemas.SubscriptionSchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@requires(MANAGE)
def resume_subscription(subscription_id: str) -> dict[str, Any]:
    """Send what happens from now on. Repeating this changes nothing"""
    return _shown(deliveries_subscriptions.resume(_owners(), _id(subscription_id)))


@endpoints.route("/<subscription_id>/test", methods=["POST"], parameters=ONE)
@endpoints.response(201, schemas.DeliverySchema)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description="It is paused or disabled")
@requires(MANAGE)
def send_test(subscription_id: str) -> Delivery:
    """Send a test event"""
    return deliveries_webhooks.send_test(_owners(), _id(subscription_id))


@endpoints.route("/<subscription_id>/replay", methods=["POST"], parameters=ONE)
@endpoints.arguments(schemas.ReplayBody)
@endpoints.response(202)
@endpoints.alt_response(404, description=NOT_FOUND)
@endpoints.alt_response(409, description="It is paused or disabled")
@requires(MANAGE)
def replay_subscription(body: dict[str, Any], subscription_id: str) -> None:
    """Send everything since a time again, each under its old `webhook-id`"""
    deliveries_subscriptions.replay(_owners(), _id(subscription_id), body["since"], only_failed=body["only_failed"])


@endpoints.route("/deliveries", methods=["GET"])
@endpoints.arguments(schemas.DeliveriesQuery, location="query")
@endpoints.page(schemas.DeliverySchema)
@endpoints.alt_response(404, description="Your agency has no such subscription or application")
@requires(MANAGE)
def list_deliveries(query: dict[str, Any]) -> Response:
    """Deliveries to your agency and its applications, the newest first"""
    owners: Owners = _owners()
    if query["client_id"]:
        owners = [client_party(application_of(_agency(), query["client_id"]).client_id)]
    subscription_id = _subscription(query["subscription"]).id if query["subscription"] else None
    page = deliveries_lists.deliveries_page(
        owners,
        subscription_id=subscription_id,
        status=query["status"],
        cursor=query["cursor"],
        limit=query["limit"],
    )
    return page.as_json(schemas.DeliverySchema().dump)


@endpoints.route("/deliveries/<delivery_id>", methods=["GET"], parameters=ONE_DELIVERY)
@endpoints.response(200, schemas.DeliveryWithAttemptsSchema)
@endpoints.alt_response(404, description=NO_DELIVERY)
@requires(MANAGE)
def show_delivery(delivery_id: str) -> dict[str, Any]:
    """One delivery with its attempts"""
    delivery = deliveries_lists.get_delivery(_owners(), _id(delivery_id))
    names = ("id", "subscription_id", "topic", "status", "at", "next_attempt_at")
    members = {name: getattr(delivery, name) for name in names}
    return {**members, "attempts": deliveries_lists.attempts_of(delivery.id)}


@endpoints.route("/deliveries/<delivery_id>/replay", methods=["POST"], parameters=ONE_DELIVERY)
@endpoints.response(202, schemas.DeliverySchema)
@endpoints.alt_response(404, description=NO_DELIVERY)
@endpoints.alt_response(409, description="It is being sent already")
@requires(MANAGE)
def replay_delivery(delivery_id: str) -> Delivery:
    """Send one delivery again, at once and under its old `webhook-id`"""
    return deliveries_lists.replay(_owners(), _id(delivery_id))


def _agency() -> Party:
    return Party.agency(current_principal().acting_agency.code)


def _owners() -> Owners:
    return parties_of(_agency())


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound(log="not an identifier") from error


def _subscription(subscription_id: str) -> Subscription:
    return deliveries_subscriptions.get_subscription(_owners(), _id(subscription_id))


def _shown(subscription: Subscription) -> dict[str, Any]:
    names = (
        *("id", "name", "url", "types", "state", "state_since", "reason", "failing_since", "previous_until"),
        "created_at",
    )
    client_id = subscription.owner.partition(":")[2] if is_of_client(subscription.owner) else None
    return {**{name: getattr(subscription, name) for name in names}, "client_id": client_id}
