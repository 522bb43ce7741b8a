import re

from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_pkce(auth_request: AuthorizationRequest) -> None:
    """RFC 7636 4.3 and RFC 9700 2.1.1: a challenge by S256; the profile says whether it may be missing."""
    challenge = auth_request.one("code_challenge")
    method = auth_request.one("code_challenge_method")
    if challenge is None:
        if auth_request.profile.pkce_required and not _does_without(auth_request.client):
            rule = auth_request.profile.rules["pkce_required"]
            raise MalformedRequest(f"{rule}: the parameter code_challenge is missing, and PKCE is required.")
        if method is not None:
            raise MalformedRequest("There is a code_challenge_method but no code_challenge.")
        return
    # RFC 7636 4.3 makes `plain` the default; RFC 9700 2.1.1: it would show the verifier to whoever sees the request.
    if method != "S256":
        rule = auth_request.profile.rules.get("pkce_required", "RFC 9700 2.1.1")
        raise MalformedRequest(f"{rule}: the code_challenge_method must be S256.")
    # RFC 7636 4.2: the SHA-256 in base64url without padding has 43 characters.
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge):
        raise MalformedRequest("RFC 7636 4.2: the code_challenge is not a SHA-256 in base64url.")
    auth_request.code_challenge = challenge


def _does_without(client: RegisteredClient) -> bool:
    """RFC 9700 2.1.1: for a client with credentials PKCE is recommended; one that registered so does without it."""
    return bool(client.options.get("pkce_optional")) and client.auth_method != "none"
