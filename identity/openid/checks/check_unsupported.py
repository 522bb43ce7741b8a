from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.rules import (
    OAuthProblem,
    RegistrationUnsupported,
    RequestObjectUnsupported,
    RequestUriUnsupported,
)

UNSUPPORTED: dict[str, type[OAuthProblem]] = {
    "request": RequestObjectUnsupported,
    "request_uri": RequestUriUnsupported,
    "registration": RegistrationUnsupported,
}


def check_unsupported(asked: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.6: who does not support these parameters says so, rather than ignoring what they hold."""
    for name, problem in UNSUPPORTED.items():
        if asked.one(name) is not None:
            raise problem(f"The parameter {name} is not supported.")
