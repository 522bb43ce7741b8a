"""How a client proves who it is at the token endpoint: a table, one line a method (RFC 6749 2.3)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from urllib.parse import unquote_plus

from flask import request

from identity.clients.queries import client_with_secret, known_client
from identity.clients.rules import RegisteredClient
from identity.openid.bearer import client_principal
from identity.openid.rules import InvalidClient, MalformedRequest
from kernel.access import act_as

MAX_CREDENTIAL_CHARACTERS = 512
CHALLENGE = {"WWW-Authenticate": 'Basic realm="openid", charset="UTF-8"'}
Credentials = tuple[str, str]


def by_header() -> RegisteredClient | None:
    """`client_secret_basic`, RFC 6749 2.3.1: the identifier and the secret, each form-encoded, in the Basic scheme."""
    client_id, secret = _basic_credentials()
    if request.form.get("client_id", client_id) != client_id:
        raise MalformedRequest("The client_id in the form is not the one in the Authorization header.")
    return client_with_secret(client_id, secret)


def by_form() -> RegisteredClient | None:
    """`client_secret_post`, RFC 6749 2.3.1."""
    client_id, secret = request.form.get("client_id", ""), request.form["client_secret"]
    if max(len(client_id), len(secret)) > MAX_CREDENTIAL_CHARACTERS:
        return None
    return client_with_secret(client_id, secret)


def by_name_only() -> RegisteredClient | None:
    """`none`, RFC 6749 3.2.1: a public client says who it is, and PKCE stands for the rest."""
    return known_client(request.form["client_id"])


METHODS: tuple[tuple[str, Callable[[], bool], Callable[[], RegisteredClient | None]], ...] = (
    ("client_secret_basic", lambda: "Authorization" in request.headers, by_header),
    ("client_secret_post", lambda: bool(request.form.get("client_secret")), by_form),
    ("none", lambda: bool(request.form.get("client_id")), by_name_only),
)


def authenticate() -> RegisteredClient:
    """The client of this request, which acts from here on. Raises InvalidClient, the same for unknown and wrong."""
    used = [(name, prove) for name, is_used, prove in METHODS if is_used()]
    # RFC 6749 2.3: not more than one method in a request. The name alone may come beside another.
    if [name for name, _ in used][:2] == ["client_secret_basic", "client_secret_post"]:
        raise MalformedRequest("The client authenticates in more than one way.")
    if not used:
        raise InvalidClient("The client does not say who it is.", headers=CHALLENGE)
    name, prove = used[0]
    client = prove()
    if client is None or not client.may_authenticate_by(name):
        raise InvalidClient(
            "The client is unknown, its secret is wrong, or it registered another way to authenticate.",
            headers=CHALLENGE,
        )
    act_as(client_principal(client))
    return client


def _basic_credentials() -> Credentials:
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4 * MAX_CREDENTIAL_CHARACTERS:
        raise InvalidClient("The Authorization header must be of the Basic scheme.", headers=CHALLENGE)
    try:
        client_id, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient("The Authorization header cannot be read.", headers=CHALLENGE) from error
    if not separator:
        raise InvalidClient("The Authorization header has no secret.", headers=CHALLENGE)
    return unquote_plus(client_id), unquote_plus(secret)
