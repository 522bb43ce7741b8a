from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest

PROMPTS = ("none", "login", "consent", "select_account")


def check_prompt(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `none` goes with no other value; unknown values are refused."""
    prompts = frozenset((auth_request.one("prompt") or "").split(" ")) - {""}
    if prompts - set(PROMPTS):
        raise MalformedRequest("The prompt must be none, login, consent or select_account.")
    if "none" in prompts and len(prompts) > 1:
        raise MalformedRequest("The prompt none goes with no other value.")
    auth_request.prompts = prompts
