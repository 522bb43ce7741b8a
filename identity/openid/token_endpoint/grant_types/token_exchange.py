"""RFC 8693: a person's token for another one, with which the client calls a further service on the person's behalf."""

from __future__ import annotations

from typing import Any

from identity.openid.grants.exchange_actions import exchange
from identity.openid.grants.request_problems import InvalidTarget
from identity.openid.rules import MalformedRequest
from identity.openid.token_endpoint.grant_types.token_form import TokenForm
from identity.openid.tokens.access_tokens import active_token
from identity.openid.tokens.audiences import CLIENT_PREFIX
from identity.openid.tokens.parameters import MAX_TOKEN_CHARACTERS
from kernel.base import clock

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def exchanged_token(form: TokenForm) -> dict[str, Any]:
    """The client acts itself: a token for an actor of another kind is not taken."""
    subject_token = form.required("subject_token", MAX_TOKEN_CHARACTERS)
    # RFC 8693 2.1
    if form.required("subject_token_type") != ACCESS_TOKEN:
        raise MalformedRequest(f"The subject_token_type must be {ACCESS_TOKEN}.")
    if form.optional("requested_token_type") not in (None, ACCESS_TOKEN):
        raise MalformedRequest(f"The requested_token_type must be {ACCESS_TOKEN}.")
    if form.optional("actor_token", MAX_TOKEN_CHARACTERS) or form.optional("actor_token_type"):
        raise MalformedRequest("The actor is the client itself: no actor_token is taken.")
    constraint = form.sender_constraint()
    exchanged = exchange(form.client, active_token(subject_token), _target(form), form.scopes(), constraint)
    return {
        "access_token": exchanged.access_token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": constraint.token_type,
        "expires_in": int((exchanged.expires_at - clock.now()).total_seconds()),
        "scope": " ".join(sorted(exchanged.scopes)),
    }


def _target(form: TokenForm) -> str:
    """The one client to be called, named by `audience` or as a `resource`."""
    named = {*form.several("audience"), *form.several("resource")}
    if len(named) != 1:
        raise InvalidTarget("Name one target, by audience or resource.")
    return named.pop().removeprefix(CLIENT_PREFIX)
