from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.authorization.request_objects import parameters_in
from identity.openid.rules import MalformedRequest


def check_request_object(asked: AuthorizationRequest) -> None:
    """RFC 9101 6.3: with a request object, only the parameters in it count, and none of those beside it."""
    values = asked.all("request")
    if not any(values):
        return
    if len(values) > 1:
        raise MalformedRequest("There is more than one request.")
    asked.parameters = parameters_in(values[0], asked.client, asked.begun)
