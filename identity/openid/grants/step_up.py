"""Levels of a sign-in: reached by a person, wanted by an application or an interface, and asked for in addition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from identity.authentication.sessions.rules import ACR_PASSWORD, ACR_TWO_FACTORS
from identity.openid.grants.request_problems import UnmetAuthenticationRequirements
from identity.openid.rules import OAuthProblem
from identity.openid.tokens.bearer import came_with_dpop
from kernel.base import clock
from kernel.base.errors import _
from kernel.jobs.access import Principal, Rule

LEVELS = (ACR_PASSWORD, ACR_TWO_FACTORS)
"""Levels that the sign-in page offers: one factor, two factors. A higher level contains the lower ones."""


class InsufficientAuthentication(OAuthProblem):
    """RFC 9470 3: the token is good, but the person has to sign in better, or again, for what is asked."""

    kind = "insufficient-user-authentication"
    status = 401
    title = _("This needs a stronger or more recent sign-in")
    explanation = _(
        "The access token is valid, but what was asked for wants a sign-in with more proof, or a newer one."
    )
    remedy = _("Send the person to sign in again with the acr_values and max_age of the WWW-Authenticate header.")
    oauth_error = "insufficient_user_authentication"

    def __init__(self, acr: str, max_age: int, scheme: str) -> None:
        challenge = (
            f'{scheme} error="insufficient_user_authentication"',
            'error_description="A stronger or newer sign-in is needed"',
            f'acr_values="{acr}"',
            f'max_age="{max_age}"',
        )
        super().__init__(headers={"WWW-Authenticate": ", ".join(challenge)})


def signed_in_with(acr: str, max_age: int) -> Rule:
    """For `@requires` at an interface: the person signed in at this level, at most `max_age` seconds ago.

    Where they did not, RFC 9470 3 tells the application to send them to sign in so.
    """

    def allows(principal: Principal) -> bool:
        at = principal.authenticated_at
        if at is None or clock.now() - at > timedelta(seconds=max_age):
            return False
        return _meeting(principal.acr, [acr]) is not None

    def refusal() -> InsufficientAuthentication:
        # RFC 9470 3: in the scheme of the token; a bound one came with DPoP (RFC 9449 7.1).
        return InsufficientAuthentication(acr, max_age, "DPoP" if came_with_dpop() else "Bearer")

    return Rule(f"a sign-in at {acr} of the last {max_age} seconds", allows, refusal=refusal)


def is_offered(wanted: Sequence[str]) -> bool:
    """Whether one of the levels can be reached here."""
    return any(level in LEVELS for level in wanted)


def wants_more(acr: str, wanted: Sequence[str]) -> bool:
    """Whether proving more could reach one of the levels that this sign-in does not."""
    return bool(wanted) and _meeting(acr, wanted) is None and is_offered(wanted)


def achieved_acr(acr: str, wanted: Sequence[str], *, is_essential: bool) -> str:
    """The `acr` of the ID token: of the wanted levels, in the client's order, the first that this sign-in meets.

    OIDC Core 5.5.1.1: an essential one that is not met is an error; a voluntary one is answered with what there is.
    Raises UnmetAuthenticationRequirements.
    """
    met = _meeting(acr, wanted)
    if met is None and is_essential and wanted:
        raise UnmetAuthenticationRequirements("None of the levels asked for was reached.")
    return met or acr


def _meeting(acr: str, wanted: Sequence[str]) -> str | None:
    reached = LEVELS[: LEVELS.index(acr) + 1] if acr in LEVELS else ()
    return next((level for level in wanted if level in reached), None)
