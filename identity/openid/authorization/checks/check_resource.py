from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.grants.resources import check_resources


def check_resource(asked: AuthorizationRequest) -> None:
    """RFC 8707 2: where the tokens will be used; the token endpoint may narrow it, never widen it."""
    asked.resources = check_resources(
        [value for value in asked.all("resource") if value], asked.client, asked.authorization_details
    )
