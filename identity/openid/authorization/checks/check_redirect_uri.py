from urllib.parse import urlsplit

from identity.clients.redirect_uris.rules import split_uri
from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.checks.check_response_mode import sound_response_mode
from identity.openid.authorization.checks.check_state import sound_state
from identity.openid.rules import UnregisteredRedirect
from kernel.base.errors import _

LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")


def check_outer_redirect_uri(auth_request: AuthorizationRequest) -> None:
    """Find the address at which to tell that a request object is broken: the one beside it, if that is registered."""
    values = auth_request.all("redirect_uri")
    if len(values) == 1 and is_registered(values[0], auth_request.client):
        auth_request.redirect_uri = values[0]
        auth_request.state = sound_state(auth_request)
        # Form Post Response Mode 2, JARM 2.3: an error travels as the code would have.
        auth_request.response_mode = sound_response_mode(auth_request)


def check_redirect_uri(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `redirect_uri` is required. RFC 9700 2.1: compared letter by letter."""
    auth_request.redirect_uri, auth_request.state = "", sound_state(auth_request)
    if len(auth_request.all("redirect_uri")) > 1:
        raise UnregisteredRedirect(_("The parameter redirect_uri came more than once."))
    redirect_uri = auth_request.one("redirect_uri")
    if redirect_uri is None:
        raise UnregisteredRedirect(_("The parameter redirect_uri is missing."))
    if not is_registered(redirect_uri, auth_request.client):
        raise UnregisteredRedirect(_("This redirect_uri is not registered for the application."))
    auth_request.redirect_uri = redirect_uri


def is_registered(redirect_uri: str, client: RegisteredClient) -> bool:
    """Whether the browser may be sent there."""
    if redirect_uri in client.redirect_uris:
        return True
    # RFC 8252 7.3, RFC 9700 4.1.3: a native application gets whatever port of its own machine is free. Only programs
    # without a secret are such, and only addresses count, not the name localhost (RFC 8252 8.3).
    return client.auth_method == "none" and any(_differs_by_port(redirect_uri, one) for one in client.redirect_uris)


def _differs_by_port(redirect_uri: str, registered: str) -> bool:
    uri, registered_uri = split_uri(redirect_uri), urlsplit(registered)
    if (
        uri is None
        or uri.port is None
        or registered_uri.scheme != "http"
        or registered_uri.hostname not in LOOPBACK_ADDRESSES
    ):
        return False
    host = f"[{registered_uri.hostname}]" if ":" in registered_uri.hostname else registered_uri.hostname
    after = registered.removeprefix(f"http://{registered_uri.netloc}")
    return redirect_uri == f"http://{host}:{uri.port}{after}"
