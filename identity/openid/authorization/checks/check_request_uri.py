from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.interactions import InteractionKind
from identity.openid.authorization.queries import pushed_request
from identity.openid.grants.request_problems import InvalidRequestUri
from identity.openid.rules import PUSHED_REQUEST_URI, MalformedRequest, RequestUriUnsupported


def check_request_uri(asked: AuthorizationRequest) -> None:
    """RFC 9126 4: a request_uri of ours stands for what its client pushed; nothing beside it counts.

    It has to be shown in time and is used up by the answer. Whoever was sent to sign in meanwhile, and brings our mark
    of that, may be later (RFC 9126 7.3: reloading a page must work).
    """
    request_uris = asked.all("request_uri")
    if not any(request_uris):
        return
    if len(request_uris) > 1 or asked.one("request") is not None:
        # RFC 9101 5: not both.
        raise MalformedRequest("There is more than one request or request_uri.")
    # RFC 9101 10.4.1: we fetch nothing from elsewhere, so nobody can make us call an address.
    if not request_uris[0].startswith(PUSHED_REQUEST_URI):
        raise RequestUriUnsupported("Only a request_uri of the pushed authorization request endpoint is taken.")
    # Who presses the button of the consent page twice gets the answer that the first time gave, and no other.
    is_shown = asked.has_been(InteractionKind.CONSENT)
    pushed = pushed_request(request_uris[0], asked.client.client_id, even_answered=is_shown)
    # What may be told of a pushed request is in it alone.
    asked.redirect_uri, asked.state = "", None
    if pushed is None or asked.begun > pushed.expires_at:
        raise InvalidRequestUri()
    asked.pushed = pushed.uri_hash
    asked.parameters = pushed.parameters


def check_no_request_uri(asked: AuthorizationRequest) -> None:
    """RFC 9126 2.1: `request_uri` must not be pushed."""
    if asked.all("request_uri"):
        raise MalformedRequest("A request_uri cannot be pushed.")
