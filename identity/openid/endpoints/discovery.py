"""GET /openid/.well-known/openid-configuration (OIDC Discovery 4) and its other addresses; RFC 8414 3; RFC 9728 3."""

from __future__ import annotations

from typing import Any

from flask.sansio.blueprints import BlueprintSetupState

from identity.openid.endpoints import for_programs, pages
from identity.openid.endpoints.cross_origin import open_to_every_page
from identity.openid.endpoints.metadata import provider_metadata, resource_metadata
from identity.openid.tokens.bearer import PROTECTED_RESOURCE
from kernel.base.installation import SETTINGS, settings
from kernel.http.incoming import Answer, Incoming
from kernel.http.problems import CHALLENGE
from kernel.jobs.access import public


@for_programs("/openid/.well-known/openid-configuration", "GET", "OPTIONS")
@open_to_every_page("GET")
@public("how to use the provider is for everyone")
def discovery(_: Incoming) -> Answer:
    """Describe the provider's endpoints and what it can do."""
    return _for_everyone(provider_metadata())


# RFC 8414 3.1: the well-known part comes before the issuer's path; 5: both ways are in use.
for_programs("/.well-known/oauth-authorization-server/openid", "GET", "OPTIONS")(discovery)
for_programs("/.well-known/openid-configuration/openid", "GET", "OPTIONS")(discovery)
for_programs("/openid/.well-known/oauth-authorization-server", "GET", "OPTIONS")(discovery)


@for_programs("/.well-known/oauth-protected-resource", "GET", "OPTIONS")
@open_to_every_page("GET")
@public("where tokens for this platform come from is for everyone")
def platform_metadata(_: Incoming) -> Answer:
    """Describe the platform as a resource: who gives tokens for it."""
    return _for_everyone(resource_metadata(settings().base_url))


@for_programs(PROTECTED_RESOURCE, "GET", "OPTIONS")
@open_to_every_page("GET")
@public("where tokens for the interface come from is for everyone")
def interface_metadata(_: Incoming) -> Answer:
    """Describe the interface as a resource: who gives tokens for it. RFC 9728 3.3: each place has a document of its
    own, which names it.
    """
    return _for_everyone(resource_metadata(f"{settings().base_url}/api/v1"))


@pages.record
def lead_there(state: BlueprintSetupState) -> None:
    """RFC 9728 5.1: who comes to the interface without a token is told where to read who gives them."""
    where = SETTINGS.of(state.app).base_url + PROTECTED_RESOURCE
    CHALLENGE.fill(state.app, f'Bearer resource_metadata="{where}"')


def _for_everyone(document: dict[str, Any]) -> Answer:
    return Answer.of_json(document, headers=(("Cache-Control", "public, max-age=300"),))
