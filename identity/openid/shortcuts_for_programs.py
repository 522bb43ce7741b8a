"""The shorter ways to the provider's hottest endpoints (`kernel.http.doors`), which programs ask all day.

Each is for a client that proves itself by its secret, or a token that is only borne, and for a request without anything
that is optional. They call what the endpoints call; every other case goes the whole way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from identity.clients.registry.queries import client_with_secret, known_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.access_tokens import is_by_value
from identity.openid.authentication import MAX_CREDENTIAL_CHARACTERS, basic_credentials
from identity.openid.bearer import access_token_in, client_principal
from identity.openid.code_actions import PresentedCode, try_redeem
from identity.openid.encryption import look_for_key
from identity.openid.endpoints.introspection import SIGNED, introspection_response
from identity.openid.endpoints.userinfo import userinfo_claims
from identity.openid.grant_actions import TokenRequest
from identity.openid.grants.authorization_code import AuthorizationCodeGrant, code_challenge_of
from identity.openid.grants.client_credentials import ClientCredentialsGrant
from identity.openid.grants.token_request import token_for_system, tokens_for_person
from identity.openid.parameters import MAX_TOKEN_CHARACTERS
from identity.openid.proofs.binding import UNBOUND, may_be_unbound
from identity.openid.rules import MAX_PARAMETER_CHARACTERS, PROFILES
from identity.openid.token_queries import holder_of
from identity.openid.tokens import service_audience
from kernel.http.doors import PlainRequest, Shortcut, add_shortcut, only_once
from kernel.jobs.access import act_as

Said = Mapping[str, Any] | None
OF_A_CODE = {"grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "state"}
"""`state` comes with the code from clients made for ClaveÚnica, whose manual asks for it, and means nothing here."""


def token(asked: PlainRequest) -> Said:
    """RFC 6749 3.2: a system asks for a token of its own, or an application for those of a person who signed in."""
    grant = asked.form.get("grant_type")
    if "HTTP_DPOP" in asked.headers:
        return None
    if grant == ClientCredentialsGrant.GRANT_TYPE:
        return _token_for_system(asked)
    return _tokens_for_code(asked) if grant == AuthorizationCodeGrant.GRANT_TYPE else None


def _token_for_system(asked: PlainRequest) -> Said:
    """RFC 6749 4.4, with all the scopes of the system."""
    if asked.form.keys() != {"grant_type"}:
        return None
    client = _client_by_header(asked)
    # Clients of people's sign-ins have profiles and options, with rules about what their tokens are bound to.
    if client is None or client.profile in PROFILES or client.options:
        return None
    if ClientCredentialsGrant.GRANT_TYPE not in client.grant_types:
        return None
    return token_for_system(client, client.scopes, (service_audience(client.binding),), UNBOUND)


def _tokens_for_code(asked: PlainRequest) -> Said:
    """RFC 6749 4.1.3, for all that was granted."""
    form = asked.form
    if not OF_A_CODE.issuperset(form) or not all(0 < len(value) <= MAX_PARAMETER_CHARACTERS for value in form.values()):
        return None
    client, code = _client(asked), form.get("code")
    if client is None or code is None or client.profile not in PROFILES or not may_be_unbound(client):
        return None
    if AuthorizationCodeGrant.GRANT_TYPE not in client.grant_types:
        return None
    verifier = form.get("code_verifier")
    shown = PresentedCode(code, form.get("redirect_uri"), code_challenge_of(verifier) if verifier else None)
    look_for_key(client, "id_token")
    act_as(client_principal(client))
    with only_once():
        issued = try_redeem(client, shown, TokenRequest())
    return tokens_for_person(client, issued) if issued is not None else None


def introspect(asked: PlainRequest) -> Said:
    """RFC 7662 2.1: a client asks about a token, to be answered as JSON."""
    if asked.form.keys() != {"token"} or SIGNED in asked.headers.get("HTTP_ACCEPT", ""):
        return None
    client, shown = _client_by_header(asked), asked.form["token"]
    return (
        introspection_response(shown, client) if client is not None and 0 < len(shown) <= MAX_TOKEN_CHARACTERS else None
    )


def userinfo(asked: PlainRequest) -> Said:
    """OIDC Core 5.3.1: an application asks about a person, with a token that is only borne, to be answered as JSON."""
    scheme, shown = access_token_in(asked.authorization)
    # A page asks (`cross_origin`): whether it may read the answer is said by the whole way.
    if "HTTP_ORIGIN" in asked.headers:
        return None
    if scheme.lower() != "bearer" or not shown or len(shown) > MAX_TOKEN_CHARACTERS or is_by_value(shown):
        return None
    holder = holder_of(shown)
    client = known_client(holder.client_id) if holder else None
    if holder is None or client is None or holder.dpop_jkt or holder.cert_thumbprint:
        return None
    if any(option.startswith("userinfo_") for option in client.options):
        return None
    return userinfo_claims(client, holder)


def _client(asked: PlainRequest) -> RegisteredClient | None:
    """The client whose secret is in the header or in the form, if it may prove itself so."""
    if "client_secret" not in asked.form:
        return _client_by_header(asked)
    if asked.authorization:
        return None
    return _proven(asked.form.get("client_id", ""), asked.form["client_secret"], "client_secret_post")


def _client_by_header(asked: PlainRequest) -> RegisteredClient | None:
    client_id, secret = basic_credentials(asked.authorization)
    if asked.form.get("client_id", client_id) != client_id:
        return None
    return _proven(client_id, secret, "client_secret_basic")


def _proven(client_id: str, secret: str, method: str) -> RegisteredClient | None:
    if max(len(client_id), len(secret)) > MAX_CREDENTIAL_CHARACTERS:
        return None
    client = client_with_secret(client_id, secret)
    return client if client is not None and client.may_authenticate_by(method) else None


def open_shortcuts(app: Flask) -> None:
    """Let the application use them."""
    add_shortcut(app, "POST", "/openid/token", Shortcut("openid.token", token, (("Pragma", "no-cache"),)))
    add_shortcut(app, "POST", "/openid/introspect", Shortcut("openid.introspect", introspect))
    add_shortcut(app, "GET", "/openid/userinfo", Shortcut("openid.userinfo", userinfo))
