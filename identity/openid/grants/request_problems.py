"""Refusals of authorization requests beyond RFC 6749, in the words of the later standards."""

from __future__ import annotations

from identity.openid.rules import MalformedRequest, OAuthProblem
from kernel.base.errors import Words, _


class InvalidRequestUri(OAuthProblem):
    """RFC 9101 7, RFC 9126 4: nothing is known of where such a request may be answered."""

    kind = "oauth-invalid-request-uri"
    is_redirectable = False
    title = _("This request has expired or was used before")
    explanation = _(
        "The application told us beforehand what it would ask for. That is kept for a short time, works once, and only"
        " for the application that sent it."
    )
    remedy = _("Go back to the application and start again.")
    for_people = Words(title, _("The link that brought you works once, and only for a short time."), remedy)
    oauth_error = "invalid_request_uri"


class AlreadyAnswered(OAuthProblem):
    """RFC 6749 4.1.2: a request has one answer. Not told by a redirect: the application has had it."""

    kind = "oauth-already-answered"
    status = 409
    is_redirectable = False
    title = _("You have already answered this application")
    explanation = _(
        "What you decided first was sent to the application, and it holds. This page came up again because a button was"
        " pressed twice, or because of the browser's button to go back."
    )
    remedy = _("Go back to the application. If you are not signed in there, start again from it.")
    oauth_error = "invalid_request"


class InvalidRequestObject(OAuthProblem):
    """RFC 9101 7."""

    kind = "oauth-invalid-request-object"
    title = "invalid_request_object"
    explanation = _("The signed request cannot be read, has expired, or is not signed with a key of the application.")
    remedy = _(
        "Sign it with a registered key, for this issuer (aud), in the name of the client (iss), and send it soon."
    )
    oauth_error = "invalid_request_object"


class PushedRequestRequired(MalformedRequest):
    """RFC 9126 5."""

    kind = "oauth-pushed-request-required"
    explanation = _("This application has to push its requests: send them to the endpoint for that first (RFC 9126).")
    remedy = _("Send the parameters to pushed_authorization_request_endpoint and use the request_uri it answers with.")


class SignedRequestRequired(MalformedRequest):
    """RFC 9101 10.5."""

    kind = "oauth-signed-request-required"
    explanation = _("This application registered that all its requests are signed (RFC 9101).")
    remedy = _("Send the parameters in a signed request object.")


class InvalidTarget(OAuthProblem):
    """RFC 8707 2."""

    kind = "oauth-invalid-target"
    title = "invalid_target"
    explanation = _(
        "The resource is not an absolute address without fragment, or no place that the application may use."
    )
    remedy = _("Ask for this platform or for a service that the application has an agreement on.")
    oauth_error = "invalid_target"


class InvalidAuthorizationDetails(OAuthProblem):
    """RFC 9396 5."""

    kind = "oauth-invalid-authorization-details"
    title = "invalid_authorization_details"
    explanation = _("The authorization_details are malformed, of an unknown type, or not for this application.")
    remedy = _("Compare them with the types that discovery names and with the agency's agreements.")
    oauth_error = "invalid_authorization_details"


class UnmetAuthenticationRequirements(OAuthProblem):
    """OpenID Connect Core Error Code unmet_authentication_requirements 1.0, RFC 9470 5."""

    kind = "oauth-unmet-authentication-requirements"
    title = "unmet_authentication_requirements"
    explanation = _("The application demands a way to sign in that the person does not have or that is not offered.")
    remedy = _("Ask for one of the levels that discovery names in acr_values_supported.")
    oauth_error = "unmet_authentication_requirements"
