"""GET and POST /openid/userinfo (OIDC Core 5.3)."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request

from identity.clients.queries import known_client
from identity.openid.answers import in_oauth_words
from identity.openid.bearer import bearer_token
from identity.openid.endpoints import for_programs
from identity.openid.queries import holder_of
from identity.openid.rules import InvalidToken, MalformedRequest, person_claims
from identity.openid.tokens import subject_for
from kernel.access import public

MAX_TOKEN_CHARACTERS = 200


@for_programs("/openid/userinfo", "GET", "POST")
@in_oauth_words
@public("the access token is checked by the protocol")
def userinfo() -> Any:
    """What the person shares with the application that holds the token."""
    holder = holder_of(_token())
    client = known_client(holder.client_id) if holder else None
    if holder is None or client is None:
        raise InvalidToken(headers={"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'})
    person = holder.person
    claims = person_claims(
        client.profile,
        holder.scopes,
        (person.run_number, person.run_dv),
        (person.given_names, person.family_names),
        person.email,
    )
    answer = jsonify({"sub": subject_for(client, person.id), **claims})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _token() -> str:
    """RFC 6750 2: in the header or in a form, not in both, and never in the address."""
    in_form = request.form.get("access_token") if request.method == "POST" else None
    if "Authorization" in request.headers:
        if in_form:
            raise MalformedRequest("The access token comes in more than one way.")
        found = bearer_token()
    else:
        found = in_form
        if not found:
            # RFC 6750 3.1: who brings no token learns how to bring one, and no error.
            raise InvalidToken(headers={"WWW-Authenticate": 'Bearer realm="openid"'})
    if not found or len(found) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken(headers={"WWW-Authenticate": 'Bearer realm="openid", error="invalid_token"'})
    return found
