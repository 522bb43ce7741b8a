"""Sender constraints of tokens: a key (RFC 9449), a certificate (RFC 8705), or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from identity.clients.profiles.rules import CERTIFICATE_METHODS, PROFILES
from identity.clients.registry.rules import RegisteredClient
from identity.openid.rules import InvalidToken, MalformedRequest
from identity.openid.tokens.proofs import dpop, mutual_tls
from identity.openid.tokens.proofs.dpop import ALGORITHMS, InvalidProof, UseNonce
from identity.openid.tokens.proofs.signed import NotSound
from kernel.base.ids import same
from kernel.http.incoming import Incoming


@dataclass(frozen=True)
class SenderConstraint:
    """dpop_jkt: the thumbprint of the key. cert_thumbprint: that of the certificate."""

    dpop_jkt: str | None = None
    cert_thumbprint: str | None = None

    @property
    def cnf(self) -> dict[str, str] | None:
        """The claim of RFC 7800, None for a token that is only borne."""
        members = {"jkt": self.dpop_jkt, "x5t#S256": self.cert_thumbprint}
        return {name: value for name, value in members.items() if value} or None

    @property
    def token_type(self) -> str:
        """RFC 9449 5."""
        return "DPoP" if self.dpop_jkt else "Bearer"


UNBOUND = SenderConstraint()
BY_KEY, BY_CERTIFICATE = ALWAYS_BOUND = ("dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens")
"""Options of clients whose tokens are always bound (RFC 9449 5.2, RFC 8705 3.4)."""


def sender_constraint_of(client: RegisteredClient, incoming: Incoming) -> SenderConstraint:
    """Return the constraint for the tokens of this request: by what the client shows, and what it must show.

    Raises InvalidProof, UseNonce; MalformedRequest where what must be shown is not there: RFC 9449 5 has its own error
    for proofs that are not valid, RFC 6749 5.2 for what is missing.
    """
    profile = PROFILES.get(client.profile)
    rule = profile.rules["sender_constrained"] if profile is not None and profile.sender_constrained else None
    jkt = dpop.proof_of_request(incoming, nonce_required=profile is not None and profile.nonce_required)
    if jkt is None and client.options.get(BY_KEY):
        raise MalformedRequest("The client registered dpop_bound_access_tokens, and there is no DPoP proof.")
    by_certificate = client.options.get(BY_CERTIFICATE)
    if rule and jkt is None and client.auth_method in CERTIFICATE_METHODS:
        by_certificate = True
    thumbprint = _thumbprint(incoming) if by_certificate else None
    if by_certificate and thumbprint is None:
        raise MalformedRequest("The client's tokens are bound to its certificate, and there is none.")
    if rule and jkt is None and thumbprint is None:
        raise MalformedRequest(f"{rule}: access tokens are bound to a key. Send a DPoP proof.")
    return SenderConstraint(jkt, thumbprint)


def _thumbprint(incoming: Incoming) -> str | None:
    try:
        return mutual_tls.thumbprint(incoming)
    except NotSound as fault:
        raise MalformedRequest(str(fault)) from fault


def check_sender_constraint(
    cnf: Mapping[str, object] | None, access_token: str, scheme: str, client: RegisteredClient, incoming: Incoming
) -> None:
    """At a resource: whether who brings the token has what it is bound to. Raises InvalidToken, UseNonce, InvalidProof.

    scheme: the one of the Authorization header, `Bearer` or `DPoP`.
    """
    confirmation = cnf or {}
    jkt, thumbprint = confirmation.get("jkt"), confirmation.get("x5t#S256")
    # RFC 9449 7.1 and 7.2: a bound token is not accepted as one that is only borne, nor the other way round.
    if (jkt is not None) != (scheme.lower() == "dpop"):
        raise InvalidToken("The token is used with another scheme than it was given for.", headers=_challenge(jkt))
    if jkt is not None and not same(str(jkt), _shown_key(access_token, client, incoming)):
        raise InvalidToken("The token is bound to another key.", headers=_challenge(jkt))
    if thumbprint is not None:
        try:
            cert_thumbprint = mutual_tls.thumbprint(incoming)
        except NotSound as fault:
            raise InvalidToken(str(fault), headers=_challenge(jkt)) from fault
        # RFC 8705 3
        if cert_thumbprint is None or not same(str(thumbprint), cert_thumbprint):
            raise InvalidToken("The token is bound to another certificate.", headers=_challenge(jkt))


def _shown_key(access_token: str, client: RegisteredClient, incoming: Incoming) -> str:
    profile = PROFILES.get(client.profile)
    try:
        jkt = dpop.proof_of_request(
            incoming,
            nonce_required=profile is not None and profile.nonce_required,
            access_token=access_token,
        )
    except (InvalidProof, UseNonce) as problem:
        # RFC 9449 7.1 and 9: at a resource the same errors come with 401 and a challenge.
        problem.status = 401  # type: ignore[misc]
        problem.headers |= _challenge("jkt", problem.oauth_error)
        raise
    if jkt is None:
        raise InvalidToken("There is no DPoP proof.", headers=_challenge("jkt"))
    return jkt


def _challenge(jkt: object, error: str = "invalid_token") -> dict[str, str]:
    if jkt is None:
        return {"WWW-Authenticate": f'Bearer realm="openid", error="{error}"'}
    return {"WWW-Authenticate": f'DPoP realm="openid", error="{error}", algs="{" ".join(ALGORITHMS)}"'}
