from urllib.parse import quote_plus

from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MAX_STATE_CHARACTERS, MalformedRequest


def sound_state(auth_request: AuthorizationRequest) -> str | None:
    """The `state`, if there is one that can be told: what is wrong with others is told without it."""
    states = [state for state in auth_request.all("state") if state]
    # RFC 6749 Appendix A.5: VSCHAR, the printable characters of ASCII.
    if len(states) != 1 or len(quote_plus(states[0])) > MAX_STATE_CHARACTERS:
        return None
    if all(" " <= letter <= "~" for letter in states[0]):
        return states[0]
    return None


def check_state(auth_request: AuthorizationRequest) -> None:
    """RFC 6749 4.1.1: `state` is recommended; ClaveÚnica's manual requires it. It comes back unchanged."""
    if len(auth_request.all("state")) > 1:
        raise MalformedRequest("The parameter state came more than once.")
    if auth_request.one("state") is None:
        if auth_request.profile.state_required:
            raise MalformedRequest(f"{auth_request.profile.rules['state_required']}: the parameter state is missing.")
        return
    if auth_request.state is None:
        raise MalformedRequest("The state is too long or has characters that are not printable ASCII.")
