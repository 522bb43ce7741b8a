"""Resource indicators (RFC 8707): the places that a client's tokens may be meant for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from identity.clients.registry.rules import RegisteredClient
from identity.clients.token_exchange_policies.queries import targets_of
from identity.openid.grants.request_problems import InvalidTarget
from identity.openid.rules import MAX_PARAMETER_CHARACTERS, PROFILES
from identity.openid.tokens.audiences import audience_named
from identity.openid.tokens.tokens import service_audience
from identity.ports import agreement_in_force
from kernel.base.installation import settings

MOST_RESOURCES = 10


def known_resources(client: RegisteredClient, details: Iterable[dict[str, Any]] = ()) -> frozenset[str]:
    """Return the resources for which the client may ask. They are this platform's interfaces, the service that the
    client is bound to, those of the agreements asked for, and the clients that it may call on behalf of people (RFC
    8693).
    """
    agreements = [agreement_in_force(str(detail.get("identifier"))) for detail in details]
    services = {agreement.audience for agreement in agreements if agreement is not None}
    called = targets_of(client.client_id) if client.profile in PROFILES else ()
    return frozenset(
        {
            settings().base_url,
            f"{settings().base_url}/api/v1",
            service_audience(client.service_binding),
            *services,
            *map(audience_named, called),
        }
    )


def check_resources(
    resources: Iterable[str], client: RegisteredClient, details: Iterable[dict[str, Any]] = ()
) -> tuple[str, ...]:
    """The resources, each once, in their order. Raises InvalidTarget."""
    indicators = tuple(dict.fromkeys(resources))
    if len(indicators) > MOST_RESOURCES:
        raise InvalidTarget(f"At most {MOST_RESOURCES} resources.")
    for resource in indicators:
        _check_form(resource)
    known = known_resources(client, details) if indicators else ()
    if not set(indicators) <= set(known):
        raise InvalidTarget("A resource is not known, or not for this client.")
    return indicators


def _check_form(resource: str) -> None:
    """RFC 8707 2: an absolute URI (RFC 3986 4.3), without a fragment."""
    if len(resource) > MAX_PARAMETER_CHARACTERS or not resource.isascii() or not resource.isprintable():
        raise InvalidTarget("A resource is too long or has characters that no URI has.")
    try:
        parts = urlsplit(resource)
    except ValueError as error:
        raise InvalidTarget("A resource is not a URI.") from error
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in resource or " " in resource:
        raise InvalidTarget("A resource must be an absolute URI without a fragment.")
