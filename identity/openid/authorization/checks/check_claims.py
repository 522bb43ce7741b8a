from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.grants.request_problems import UnmetAuthenticationRequirements
from identity.openid.grants.step_up import is_offered
from identity.openid.tokens.requested_claims import read_claims


def check_claims(auth_request: AuthorizationRequest) -> None:
    """OIDC Core 5.5: single claims, and by `sub` and `acr` whom the client wants and how they sign in."""
    text = auth_request.one("claims")
    if text is None:
        return
    auth_request.claims = read_claims(text, auth_request.client.scopes)
    auth_request.subject = auth_request.claims.subject
    if auth_request.claims.acr:
        auth_request.acr_values = auth_request.claims.acr
        auth_request.acr_is_essential = auth_request.claims.acr_is_essential
    # OIDC Core 5.5.1.1: an essential acr that cannot be reached counts as a failed sign-in.
    if auth_request.acr_is_essential and not is_offered(auth_request.acr_values):
        raise UnmetAuthenticationRequirements("None of the levels that the claims demand is offered.")
