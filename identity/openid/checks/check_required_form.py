from identity.openid.authorization_request import AuthorizationRequest
from identity.openid.request_problems import PushedRequestRequired, SignedRequestRequired


def check_must_be_pushed(asked: AuthorizationRequest) -> None:
    """RFC 9126 5 and 6, FAPI 2.0 5.3.2.2: who has to push its requests does nothing else."""
    required = asked.profile.par_required or asked.client.options.get("require_pushed_authorization_requests")
    if required and asked.pushed is None:
        raise PushedRequestRequired("This client has to push its requests (RFC 9126), and this one was not.")


def check_must_be_signed(asked: AuthorizationRequest) -> None:
    """RFC 9101 10.5: who registered that its requests are signed sends no others. A pushed one was checked before."""
    required = asked.client.options.get("require_signed_request_object")
    if required and asked.pushed is None and asked.one("request") is None:
        raise SignedRequestRequired("This client has to sign its requests (RFC 9101), and this one is not signed.")
