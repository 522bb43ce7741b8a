from identity.openid.authorization.authorization_request import AuthorizationRequest
from identity.openid.grants.request_problems import UnmetAuthenticationRequirements
from identity.openid.grants.step_up import is_offered
from identity.openid.tokens.requested_claims import read_claims


def check_claims(asked: AuthorizationRequest) -> None:
    """OIDC Core 5.5: single claims, and by `sub` and `acr` whom the client wants and how they sign in."""
    text = asked.one("claims")
    if text is None:
        return
    asked.claims = read_claims(text, asked.client.scopes)
    asked.subject = asked.claims.subject
    if asked.claims.acr:
        asked.acr_values = asked.claims.acr
        asked.acr_is_essential = asked.claims.acr_is_essential
    # OIDC Core 5.5.1.1: an essential acr that cannot be reached counts as a failed sign-in.
    if asked.acr_is_essential and not is_offered(asked.acr_values):
        raise UnmetAuthenticationRequirements("None of the levels that the claims demand is offered.")
