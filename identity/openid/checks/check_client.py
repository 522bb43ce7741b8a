from identity.clients.queries import registered_client
from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import PROFILES, UnknownClient
from kernel.errors import _


def check_client(asked: AuthorizationRequest) -> None:
    """RFC 6749 4.1.1: `client_id` is required, once, and names a client that people sign in to."""
    if len(asked.all("client_id")) > 1:
        raise UnknownClient(_("The parameter client_id came more than once."))
    client_id = asked.one("client_id")
    if client_id is None:
        raise UnknownClient(_("The parameter client_id is missing."))
    client = registered_client(client_id)
    if client is None or client.profile not in PROFILES:
        raise UnknownClient(_("No application that people sign in to has this client_id."))
    asked.client = client
