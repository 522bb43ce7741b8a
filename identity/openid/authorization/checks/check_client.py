from identity.clients.registry.queries import known_client
from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import PROFILES, MalformedRequest, UnauthorizedClient, UnknownClient
from kernel.base.errors import _


def check_client(auth_request: AuthorizationRequest) -> None:
    """RFC 6749 4.1.1: `client_id` is required, once, and names a client that people sign in to.

    RFC 9101 5 and RFC 9126 4: it stands outside of a request object or a request_uri as well.
    """
    if len(auth_request.all("client_id")) > 1:
        raise UnknownClient(_("The parameter client_id came more than once."))
    client_id = auth_request.one("client_id")
    if client_id is None:
        raise UnknownClient(_("The parameter client_id is missing."))
    client = known_client(client_id)
    if client is None or client.profile not in PROFILES:
        raise UnknownClient(_("No application that people sign in to has this client_id."))
    auth_request.client = client


def check_same_client(auth_request: AuthorizationRequest) -> None:
    """RFC 9126 2.1: `client_id` is required here too, and must be that of the client that proved who it is."""
    if not auth_request.one("client_id"):
        raise MalformedRequest("The parameter client_id is missing.")
    check_client_if_named(auth_request)


def check_client_if_named(auth_request: AuthorizationRequest) -> None:
    """RFC 8628 3.1: a client that proved who it is need not say it again; where it does, then once and the same."""
    if auth_request.client.profile not in PROFILES:
        raise UnauthorizedClient("People do not sign in to this client.")
    # RFC 6749 3.1: what has no value counts as left out.
    if list(auth_request.all("client_id")) not in ([], [auth_request.client.client_id]):
        raise MalformedRequest("The client_id must be there once, and be that of the client that authenticated.")
