from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.rules import MalformedRequest

MOST_VALUES = 10
MAX_CHARACTERS = 200


def check_acr(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 3.1.2.1: `acr_values` in order of preference, a wish; OIDC Registration 2: the registered ones else."""
    text = auth_request.one("acr_values")
    default = auth_request.client.options.get("default_acr_values") or ()
    values = text.split(" ") if text is not None else [str(value) for value in default]
    values = [value for value in values if value]
    if len(values) > MOST_VALUES or any(len(value) > MAX_CHARACTERS or not value.isprintable() for value in values):
        raise MalformedRequest("There are too many acr_values, or one has characters that are not accepted.")
    auth_request.acr_values = tuple(values)
