"""POST /openid/token (RFC 6749 3.2)."""

from __future__ import annotations

from identity.openid.endpoints import for_programs
from identity.openid.endpoints.cross_origin import open_to_browser_applications
from identity.openid.endpoints.oauth_errors import in_oauth_words
from identity.openid.rules import MalformedRequest, UnsupportedGrantType
from identity.openid.token_endpoint.authentication import authenticate
from identity.openid.token_endpoint.grant_types import GRANTS
from identity.openid.token_endpoint.grant_types.token_form import TokenForm, check_may_use
from identity.openid.tokens.parameters import check_duplicate_parameters, check_is_form
from kernel.http.incoming import NOT_KEPT, Answer, Incoming
from kernel.jobs.access import public

REPEATABLE = ("resource", "audience")


@for_programs("/openid/token", "POST", "OPTIONS", is_hot=True)
@open_to_browser_applications("POST")
@in_oauth_words
@public("clients authenticate by the protocol")
def token(incoming: Incoming) -> Answer:
    """Exchange a grant for tokens."""
    check_is_form(incoming)
    # RFC 6749 3.2: parameters must not be included more than once. RFC 8707 2 and RFC 8693 2.1 allow these two.
    check_duplicate_parameters(incoming, *REPEATABLE)
    grant_type = incoming.form.get("grant_type")
    if not grant_type:
        raise MalformedRequest("The parameter grant_type is missing.")
    if grant_type not in GRANTS:
        raise UnsupportedGrantType(f"The grant_type must be one of: {', '.join(GRANTS)}.")
    # RFC 6749 5.2: first who the client is, then whether it may use this grant.
    client = authenticate(incoming)
    check_may_use(client, grant_type)
    tokens = GRANTS[grant_type](TokenForm(client, incoming))
    return Answer.of_json(tokens, headers=(NOT_KEPT, ("Pragma", "no-cache")))
