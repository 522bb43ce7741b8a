import re

from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest
from identity.openid.tokens.proofs.dpop import InvalidProof, proof_of_request


def check_dpop_jkt(asked: AuthorizationRequest) -> None:
    """RFC 9449 10: `dpop_jkt` names the key without which the code is worth nothing."""
    thumbprint = asked.one("dpop_jkt")
    # RFC 7638 3: a SHA-256 in base64url without padding has 43 characters.
    if thumbprint is not None and not re.fullmatch(r"[A-Za-z0-9_-]{43}", thumbprint):
        raise MalformedRequest("The dpop_jkt is not a SHA-256 in base64url.")
    asked.dpop_jkt = thumbprint


def check_dpop_proof(asked: AuthorizationRequest) -> None:
    """RFC 9449 10.1: a proof sent along with a pushed request binds the code to its key, as `dpop_jkt` would."""
    if asked.incoming is None:
        return
    shown = proof_of_request(asked.incoming, nonce_required=asked.profile.nonce_required)
    if shown is None:
        return
    if asked.dpop_jkt not in (None, shown):
        raise InvalidProof("The dpop_jkt is of another key than the DPoP proof.")
    asked.dpop_jkt = shown
    asked.parameters = {**asked.parameters, "dpop_jkt": [shown]}
