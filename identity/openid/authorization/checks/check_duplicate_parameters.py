from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest


def check_duplicate_parameters(asked: AuthorizationRequest) -> None:
    """RFC 6749 3.1: parameters must not be included more than once. `resource` may (RFC 8707 2)."""
    for parameters in (asked.brought, asked.parameters):
        for name, values in parameters.items():
            if len(values) > 1 and name != "resource":
                shown = name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 40 else "parameter"
                raise MalformedRequest(f"The {shown} came more than once.")
