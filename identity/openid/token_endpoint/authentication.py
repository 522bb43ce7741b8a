"""Client authentication at every endpoint that programs call: a table, one line a method (RFC 6749 2.3)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_plus

from identity.clients.profiles.rules import CERTIFICATE_METHODS
from identity.clients.registry.queries import client_with_secret, known_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.rules import InvalidClient, MalformedRequest
from identity.openid.tokens.bearer import client_principal
from identity.openid.tokens.parameters import check_is_form
from identity.openid.tokens.proofs.client_assertion import client_of_assertion
from identity.openid.tokens.proofs.mutual_tls import check_certificate
from identity.openid.tokens.proofs.signed import NotSound
from kernel.http.incoming import Incoming
from kernel.http.rate_limit import limiter
from kernel.jobs.access import act_as

MAX_CREDENTIAL_CHARACTERS = 512
CHALLENGE = {"WWW-Authenticate": 'Basic realm="openid", charset="UTF-8"'}
OF_ANYBODY = "60 per minute"
"""From one address, in the name of a client that has no credentials."""
ASSERTION_FIELDS = ("client_assertion", "client_assertion_type")
ONCE = ("client_id", "client_secret", *ASSERTION_FIELDS)
Credentials = tuple[str, str]


def by_header(incoming: Incoming) -> RegisteredClient | None:
    """`client_secret_basic`, RFC 6749 2.3.1: the identifier and the secret, each form-encoded, in the Basic scheme."""
    client_id, secret = basic_credentials(incoming.header("Authorization"))
    if incoming.form.get("client_id", client_id) != client_id:
        raise MalformedRequest("The client_id in the form is not the one in the Authorization header.")
    if not secret:
        # RFC 6749 2.3.1: an empty secret may be left out. Some libraries write it in the name of clients without one.
        named = known_client(client_id)
        return named if named is not None and named.auth_method == "none" else None
    return client_with_secret(client_id, secret)


def by_form(incoming: Incoming) -> RegisteredClient | None:
    """`client_secret_post`, RFC 6749 2.3.1."""
    client_id, secret = incoming.form.get("client_id", ""), incoming.form["client_secret"]
    if max(len(client_id), len(secret)) > MAX_CREDENTIAL_CHARACTERS:
        return None
    return client_with_secret(client_id, secret)


def by_assertion(incoming: Incoming) -> RegisteredClient | None:
    """`private_key_jwt`, RFC 7523 2.2: a JWT that the client signed."""
    try:
        return client_of_assertion(incoming)
    except NotSound as fault:
        raise InvalidClient(f"client_assertion: {fault}", headers=CHALLENGE) from fault


def by_name(incoming: Incoming) -> RegisteredClient | None:
    """Authenticate a client that says its name only: `none` (RFC 6749 3.2.1), where PKCE stands for the rest. Where the
    client registered it, its certificate of the connection proves the name (RFC 8705 2).
    """
    client = known_client(incoming.form["client_id"])
    if client is not None and client.auth_method in CERTIFICATE_METHODS:
        try:
            check_certificate(client, incoming)
        except NotSound as fault:
            raise InvalidClient(str(fault)) from fault
    return client


@dataclass(frozen=True)
class Method:
    """One way to authenticate: the methods that it stands for, whether a request uses it, and whom it proves."""

    names: tuple[str, ...]
    is_used: Callable[[Incoming], bool]
    prove: Callable[[Incoming], RegisteredClient | None]
    is_alone: bool = True


METHODS = (
    Method(("client_secret_basic", "none"), lambda it: it.has_header("Authorization"), by_header),
    Method(
        ("private_key_jwt",), lambda incoming: any(incoming.form.get(name) for name in ASSERTION_FIELDS), by_assertion
    ),
    Method(("client_secret_post",), lambda it: bool(it.form.get("client_secret")), by_form),
    # The name alone may come beside another method.
    Method(("none", *CERTIFICATE_METHODS), lambda it: bool(it.form.get("client_id")), by_name, is_alone=False),
)


def authenticate(incoming: Incoming) -> RegisteredClient:
    """The client of this request, which acts from here on. Raises InvalidClient, the same for unknown and wrong."""
    check_is_form(incoming)
    used = [method for method in METHODS if method.is_used(incoming)]
    # RFC 6749 2.3: not more than one method in a request.
    if sum(method.is_alone for method in used) > 1:
        raise MalformedRequest("The client authenticates in more than one way.")
    if not incoming.repeated.isdisjoint(ONCE):
        raise MalformedRequest("A parameter came more than once.")
    if not used:
        raise InvalidClient("The client does not say who it is.", headers=CHALLENGE)
    client = used[0].prove(incoming)
    if client is None or not any(client.may_authenticate_by(name) for name in used[0].names):
        raise InvalidClient(
            "The client is unknown, its secret is wrong, or it registered another way to authenticate.",
            headers=CHALLENGE,
        )
    act_as(client_principal(client))
    incoming.caller = client
    return client


def keep_in_bounds(client: RegisteredClient, incoming: Incoming) -> None:
    """For endpoints that keep something for each request: whoever may say a name without proof may not fill our
    tables. Raises TooMany.
    """
    if client.auth_method == "none":
        limiter.count(OF_ANYBODY, incoming)


def basic_credentials(header: str) -> Credentials:
    """The identifier and the secret of an Authorization header. Raises InvalidClient."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 4 * MAX_CREDENTIAL_CHARACTERS:
        raise InvalidClient("The Authorization header must be of the Basic scheme.", headers=CHALLENGE)
    try:
        client_id, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient("The Authorization header cannot be read.", headers=CHALLENGE) from error
    if not separator:
        raise InvalidClient("The Authorization header has no secret.", headers=CHALLENGE)
    return unquote_plus(client_id), unquote_plus(secret)
