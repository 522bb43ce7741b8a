from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.checks.check_state import sound_state
from identity.openid.rules import UnregisteredRedirect
from kernel.errors import _


def check_outer_redirect_uri(asked: AuthorizationRequest) -> None:
    """Where to tell that a request object is broken: at the address beside it, if that one is registered."""
    values = asked.all("redirect_uri")
    if len(values) == 1 and values[0] in asked.client.redirect_uris:
        asked.redirect_uri = values[0]
        asked.state = sound_state(asked)


def check_redirect_uri(asked: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `redirect_uri` is required. RFC 9700 2.1: compared letter by letter."""
    asked.redirect_uri, asked.state = "", sound_state(asked)
    if len(asked.all("redirect_uri")) > 1:
        raise UnregisteredRedirect(_("The parameter redirect_uri came more than once."))
    redirect_uri = asked.one("redirect_uri")
    if redirect_uri is None:
        raise UnregisteredRedirect(_("The parameter redirect_uri is missing."))
    if redirect_uri not in asked.client.redirect_uris:
        raise UnregisteredRedirect(_("This redirect_uri is not registered for the application."))
    asked.redirect_uri = redirect_uri
