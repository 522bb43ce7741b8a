from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.grants.request_problems import PushedRequestRequired, SignedRequestRequired


def check_must_be_pushed(auth_request: AuthorizationRequest) -> None:
    """RFC 9126 5 and 6: who has to push its requests, by its profile or as it registered, does nothing else."""
    required = auth_request.profile.par_required or auth_request.client.options.get(
        "require_pushed_authorization_requests"
    )
    if required and auth_request.pushed is None:
        rule = auth_request.profile.rules.get("par_required", "RFC 9126 6")
        raise PushedRequestRequired(f"{rule}: this client has to push its requests, and this one was not.")


def check_must_be_signed(auth_request: AuthorizationRequest) -> None:
    """RFC 9101 10.5: who registered that its requests are signed sends no others. A pushed one was checked before."""
    required = auth_request.client.options.get("require_signed_request_object")
    if required and auth_request.pushed is None and auth_request.one("request") is None:
        raise SignedRequestRequired("RFC 9101 10.5: this client has to sign its requests, and this one is not signed.")
