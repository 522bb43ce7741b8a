from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import RegistrationUnsupported


def check_unsupported(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.6: who does not support `registration` says so, rather than ignoring what it holds."""
    if auth_request.one("registration") is not None:
        raise RegistrationUnsupported("The parameter registration is not supported.")
