import re

from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest
from identity.openid.tokens.proofs.dpop import InvalidProof, proof_of_request


def check_dpop_jkt(auth_request: AuthorizationRequest) -> None:
    """RFC 9449 10: `dpop_jkt` names the key without which the code is worth nothing."""
    thumbprint = auth_request.one("dpop_jkt")
    # RFC 7638 3: a SHA-256 in base64url without padding has 43 characters.
    if thumbprint is not None and not re.fullmatch(r"[A-Za-z0-9_-]{43}", thumbprint):
        raise MalformedRequest("The dpop_jkt is not a SHA-256 in base64url.")
    auth_request.dpop_jkt = thumbprint


def check_dpop_proof(auth_request: AuthorizationRequest) -> None:
    """RFC 9449 10.1: a proof sent along with a pushed request binds the code to its key, as `dpop_jkt` would."""
    if auth_request.incoming is None:
        return
    jkt = proof_of_request(auth_request.incoming, nonce_required=auth_request.profile.nonce_required)
    if jkt is None:
        return
    if auth_request.dpop_jkt not in (None, jkt):
        raise InvalidProof("The dpop_jkt is of another key than the DPoP proof.")
    auth_request.dpop_jkt = jkt
    auth_request.parameters = {**auth_request.parameters, "dpop_jkt": [jkt]}
