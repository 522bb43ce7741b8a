from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.request_objects import parameters_in
from identity.openid.rules import MalformedRequest


def check_request_object(auth_request: AuthorizationRequest) -> None:
    """RFC 9101 6.3: with a request object, only the parameters in it count, and none of those beside it."""
    values = auth_request.all("request")
    if not any(values):
        return
    if len(values) > 1:
        raise MalformedRequest("There is more than one request.")
    auth_request.parameters = parameters_in(values[0], auth_request.client, auth_request.begun)
