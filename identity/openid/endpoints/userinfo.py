"""GET and POST /openid/userinfo (OIDC Core 5.3): JSON, or signed and encrypted where the client registered so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from identity.clients.registry.queries import known_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.endpoints import for_programs
from identity.openid.endpoints.cross_origin import open_to_browser_applications
from identity.openid.endpoints.oauth_errors import in_oauth_words
from identity.openid.issuer import issuer
from identity.openid.rules import InsufficientScope, InvalidToken, MalformedRequest
from identity.openid.tokens.access_tokens import active_token, confirmation_of, is_by_value
from identity.openid.tokens.bearer import access_token_in, is_of_tokens
from identity.openid.tokens.encryption import encrypted_for
from identity.openid.tokens.parameters import MAX_TOKEN_CHARACTERS
from identity.openid.tokens.proofs.sender_constraint import check_sender_constraint
from identity.openid.tokens.token_queries import TokenHolder, holder_of, person_of_grant
from identity.openid.tokens.tokens import claims_about, id_token_algorithm, signed_userinfo, subject_for, told_here
from kernel.http.incoming import NOT_KEPT, Answer, Incoming
from kernel.jobs.access import public

if TYPE_CHECKING:
    from collections.abc import Mapping

REALM = 'Bearer realm="openid"'
INVALID = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
INSUFFICIENT = {"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="openid"'}


@for_programs("/openid/userinfo", "GET", "POST", "OPTIONS", is_hot=True)
@open_to_browser_applications("GET", "POST")
@in_oauth_words
@public("the access token is checked by the protocol")
def userinfo(incoming: Incoming) -> Answer:
    """Answer with the claims that the person shares with the application that holds the token."""
    scheme, token = _token(incoming)
    holder = _holder(token)
    client = known_client(holder.client_id) if holder else None
    incoming.caller = client
    if holder is None or client is None:
        raise InvalidToken(headers=INVALID)
    check_sender_constraint(confirmation_of(holder.dpop_jkt, holder.cert_thumbprint), token, scheme, client, incoming)
    return _answer(client, userinfo_claims(client, holder))


def userinfo_claims(client: RegisteredClient, holder: TokenHolder) -> dict[str, Any]:
    """Return the claims of the person that the client gets. Raises InvalidToken, InsufficientScope."""
    # RFC 9068 4, RFC 8707 2: a token for another place is not for this one.
    if holder.audience and issuer() not in holder.audience:
        raise InvalidToken("The token is meant for another place (aud).", headers=INVALID)
    if "openid" not in holder.scopes:
        raise InsufficientScope(headers=INSUFFICIENT)
    claims = claims_about(client, holder.scopes, holder.person)
    claims |= told_here(client, holder.claims, "userinfo", holder.person)
    return {**claims, "sub": subject_for(client, holder.person.id)}


def _answer(client: RegisteredClient, claims: Mapping[str, Any]) -> Answer:
    """OIDC Core 5.3.2: JSON unless the client registered a signed or an encrypted answer."""
    options = client.options
    algorithm = options.get("userinfo_signed_response_alg")
    if algorithm is None and options.get("userinfo_encrypted_response_alg") is not None:
        algorithm = id_token_algorithm(client)
    if algorithm is None:
        return Answer.of_json(claims, headers=(NOT_KEPT,))
    signed = signed_userinfo(client, claims, algorithm)
    return Answer.of_text(encrypted_for(client, signed, "userinfo"), "application/jwt", (NOT_KEPT,))


def _holder(token: str) -> TokenHolder | None:
    """Return the holder of a token: one read, however the token is written."""
    if not is_by_value(token):
        return holder_of(token)
    active = active_token(token)
    person_and_claims = person_of_grant(active.grant_id) if active and active.grant_id else None
    if active is None or person_and_claims is None:
        return None
    person, claims = person_and_claims
    cnf = active.confirmation or {}
    return TokenHolder(
        person, active.client_id, active.scopes, active.audience, claims, cnf.get("jkt"), cnf.get("x5t#S256")
    )


def _token(incoming: Incoming) -> tuple[str, str]:
    """RFC 6750 2: in the header or in a form, not in both, and never in the address. The scheme it came by, first."""
    in_form = incoming.form.get("access_token") if incoming.method == "POST" else None
    if incoming.has_header("Authorization"):
        if in_form:
            raise MalformedRequest("The access token comes in more than one way.")
        scheme, token = access_token_in(incoming.header("Authorization"))
    else:
        scheme, token = "Bearer" if in_form else "", in_form
    # RFC 6750 3.1: who brings no token, or tries another way, learns how to bring one, and no error.
    if not is_of_tokens(scheme):
        raise InvalidToken(headers={"WWW-Authenticate": REALM})
    if not token or len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken(headers=INVALID)
    return scheme, token
