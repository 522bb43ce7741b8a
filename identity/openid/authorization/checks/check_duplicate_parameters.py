from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_duplicate_parameters(auth_request: AuthorizationRequest) -> None:
    """RFC 6749 3.1: parameters must not be included more than once. `resource` may (RFC 8707 2)."""
    for parameters in (auth_request.brought, auth_request.parameters):
        for name, values in parameters.items():
            if len(values) > 1 and name != "resource":
                display_name = (
                    name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 40 else "parameter"
                )
                raise MalformedRequest(f"The {display_name} came more than once.")
