"""Refusals of token requests beyond RFC 6749, in the words of the later standards."""

from __future__ import annotations

from identity.openid.rules import OAuthProblem
from kernel.base.errors import _


class AuthorizationPending(OAuthProblem):
    """RFC 8628 3.5."""

    kind = "oauth-authorization-pending"
    title = "authorization_pending"
    explanation = _("The person has not decided yet on their other device.")
    remedy = _("Ask again after the interval.")
    oauth_error = "authorization_pending"


class SlowDown(OAuthProblem):
    """RFC 8628 3.5."""

    kind = "oauth-slow-down"
    title = "slow_down"
    explanation = _("The device asks more often than it was told to.")
    remedy = _("Wait five seconds longer between two requests from now on.")
    oauth_error = "slow_down"


class ExpiredToken(OAuthProblem):
    """RFC 8628 3.5."""

    kind = "oauth-expired-token"
    title = "expired_token"
    explanation = _("Nobody decided in time, and the device's codes are no longer valid.")
    remedy = _("Let the device ask for new codes.")
    oauth_error = "expired_token"
