from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import UnregisteredRedirect
from kernel.errors import _


def check_redirect_uri(asked: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `redirect_uri` is required. RFC 9700 2.1: compared letter by letter."""
    if len(asked.all("redirect_uri")) > 1:
        raise UnregisteredRedirect(_("The parameter redirect_uri came more than once."))
    redirect_uri = asked.one("redirect_uri")
    if redirect_uri is None:
        raise UnregisteredRedirect(_("The parameter redirect_uri is missing."))
    if redirect_uri not in asked.client.redirect_uris:
        raise UnregisteredRedirect(_("This redirect_uri is not registered for the application."))
    asked.redirect_uri = redirect_uri
