from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.interactions import InteractionKind
from identity.openid.authorization.queries import pushed_request
from identity.openid.grants.request_problems import InvalidRequestUri
from identity.openid.rules import PUSHED_REQUEST_URI, MalformedRequest, RequestUriUnsupported


def check_request_uri(auth_request: AuthorizationRequest) -> None:
    """RFC 9126 4: a request_uri of ours stands for what its client pushed; nothing beside it counts.

    It has to be shown in time and is used up by the answer. Whoever was sent to sign in meanwhile, and brings our mark
    of that, may be later (RFC 9126 7.3: reloading a page must work).
    """
    request_uris = auth_request.all("request_uri")
    if not any(request_uris):
        return
    if len(request_uris) > 1 or auth_request.one("request") is not None:
        # RFC 9101 5: not both.
        raise MalformedRequest("There is more than one request or request_uri.")
    # RFC 9101 10.4.1: we fetch nothing from elsewhere, so nobody can make us call an address.
    if not request_uris[0].startswith(PUSHED_REQUEST_URI):
        raise RequestUriUnsupported("Only a request_uri of the pushed authorization request endpoint is taken.")
    # Who presses the button of the consent page twice gets the answer that the first time gave, and no other.
    is_shown = auth_request.has_been(InteractionKind.CONSENT)
    pushed = pushed_request(request_uris[0], auth_request.client.client_id, even_answered=is_shown)
    # What may be told of a pushed request is in it alone.
    auth_request.redirect_uri, auth_request.state = "", None
    if pushed is None or auth_request.begun > pushed.expires_at:
        raise InvalidRequestUri()
    auth_request.pushed = pushed.uri_hash
    auth_request.parameters = pushed.parameters


def check_no_request_uri(auth_request: AuthorizationRequest) -> None:
    """RFC 9126 2.1: `request_uri` must not be pushed."""
    if auth_request.all("request_uri"):
        raise MalformedRequest("A request_uri cannot be pushed.")
