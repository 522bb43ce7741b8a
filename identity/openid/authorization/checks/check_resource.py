from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.grants.resources import check_resources


def check_resource(auth_request: AuthorizationRequest) -> None:
    """RFC 8707 2: where the tokens will be used; the token endpoint may narrow it, never widen it."""
    auth_request.resources = check_resources(
        [value for value in auth_request.all("resource") if value],
        auth_request.client,
        auth_request.authorization_details,
    )
