"""The shorter ways to the provider's hottest endpoints (`kernel.shortcuts`): what systems and applications ask all day.

Each is for a client that proves itself by its secret in the header, or a token that is only borne, and for a request
without anything that is optional. They call what the endpoints call; every other case goes the whole way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from identity.clients.queries import client_with_secret, known_client
from identity.clients.rules import RegisteredClient
from identity.openid.access_tokens import is_by_value
from identity.openid.authentication import MAX_CREDENTIAL_CHARACTERS, basic_credentials
from identity.openid.bearer import access_token_in
from identity.openid.endpoints.introspection import SIGNED, said_of
from identity.openid.endpoints.userinfo import told_to
from identity.openid.grants.client_credentials import ClientCredentialsGrant
from identity.openid.grants.token_request import token_for_system
from identity.openid.parameters import MAX_TOKEN_CHARACTERS
from identity.openid.proofs.binding import UNBOUND
from identity.openid.rules import PROFILES
from identity.openid.token_queries import holder_of
from identity.openid.tokens import service_audience
from kernel.shortcuts import PlainRequest, Shortcut, add_shortcut

Said = Mapping[str, Any] | None


def token(asked: PlainRequest) -> Said:
    """RFC 6749 4.4: a system asks for a token with all its scopes."""
    if asked.form != {"grant_type": ClientCredentialsGrant.GRANT_TYPE} or "HTTP_DPOP" in asked.headers:
        return None
    client = _client(asked)
    # Clients of people's sign-ins have profiles and options, with rules about what their tokens are bound to.
    if client is None or client.profile in PROFILES or client.options:
        return None
    if ClientCredentialsGrant.GRANT_TYPE not in client.grant_types:
        return None
    return token_for_system(client, client.scopes, (service_audience(client.binding),), UNBOUND)


def introspect(asked: PlainRequest) -> Said:
    """RFC 7662 2.1: a client asks about a token, to be answered as JSON."""
    if asked.form.keys() != {"token"} or SIGNED in asked.headers.get("HTTP_ACCEPT", ""):
        return None
    client, shown = _client(asked), asked.form["token"]
    return said_of(shown, client) if client is not None and 0 < len(shown) <= MAX_TOKEN_CHARACTERS else None


def userinfo(asked: PlainRequest) -> Said:
    """OIDC Core 5.3.1: an application asks about a person, with a token that is only borne, to be answered as JSON."""
    scheme, shown = access_token_in(asked.authorization)
    if scheme.lower() != "bearer" or not shown or len(shown) > MAX_TOKEN_CHARACTERS or is_by_value(shown):
        return None
    holder = holder_of(shown)
    client = known_client(holder.client_id) if holder else None
    if holder is None or client is None or holder.dpop_jkt or holder.cert_thumbprint:
        return None
    if any(option.startswith("userinfo_") for option in client.options):
        return None
    return told_to(client, holder)


def _client(asked: PlainRequest) -> RegisteredClient | None:
    """The client whose secret is in the header, if it may prove itself so."""
    client_id, secret = basic_credentials(asked.authorization)
    if max(len(client_id), len(secret)) > MAX_CREDENTIAL_CHARACTERS:
        return None
    client = client_with_secret(client_id, secret)
    return client if client is not None and client.may_authenticate_by("client_secret_basic") else None


def open_shortcuts(app: Flask) -> None:
    """Let the application use them."""
    add_shortcut(app, "POST", "/openid/token", Shortcut("openid.token", token, (("Pragma", "no-cache"),)))
    add_shortcut(app, "POST", "/openid/introspect", Shortcut("openid.introspect", introspect))
    add_shortcut(app, "GET", "/openid/userinfo", Shortcut("openid.userinfo", userinfo))
