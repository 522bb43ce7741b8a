from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import MAX_PARAMETER_CHARACTERS, MalformedRequest


def check_state(asked: AuthorizationRequest) -> None:
    """RFC 6749 4.1.1: `state` is recommended; ClaveÚnica's manual requires it. It comes back unchanged."""
    if len(asked.all("state")) > 1:
        raise MalformedRequest("The parameter state came more than once.")
    state = asked.one("state")
    if state is None:
        if asked.profile.state_required:
            raise MalformedRequest("The parameter state is missing: this profile requires it.")
        return
    # RFC 6749 Appendix A.5: VSCHAR, the printable characters of ASCII.
    if len(state) > MAX_PARAMETER_CHARACTERS or not all(" " <= character <= "~" for character in state):
        raise MalformedRequest("The state is too long or has characters that are not printable ASCII.")
    asked.state = state
