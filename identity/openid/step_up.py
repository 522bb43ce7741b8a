"""How surely a person signed in, how surely an application or an interface wants it, and how it asks for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from identity.openid.request_problems import UnmetAuthenticationRequirements
from identity.openid.rules import OAuthProblem
from identity.signin.rules import ACR_PASSWORD, ACR_TWO_FACTORS
from kernel.errors import _

LEVELS = (ACR_PASSWORD, ACR_TWO_FACTORS)
"""What the sign-in page offers: one factor, two factors. A higher level contains the lower ones."""


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

    def __init__(self, acr_values: Sequence[str] = (), max_age: int | None = None) -> None:
        told = 'error="insufficient_user_authentication", error_description="A stronger or newer sign-in is needed"'
        if acr_values:
            told += f', acr_values="{" ".join(acr_values)}"'
        if max_age is not None:
            told += f', max_age="{max_age}"'
        super().__init__(headers={"WWW-Authenticate": f"Bearer {told}"})


def demand(
    claims: Mapping[str, Any], now: datetime, *, acr_values: Sequence[str] = (), max_age: int | None = None
) -> None:
    """For interfaces that need a better sign-in than usual. Raises InsufficientAuthentication (RFC 9470 3).

    claims: those of a person's access token, or of its introspection, with `acr` and `auth_time` (RFC 9470 6).
    """
    is_met = not acr_values or _meeting(str(claims.get("acr")), acr_values) is not None
    signed_in = claims.get("auth_time")
    is_recent = max_age is None or (
        isinstance(signed_in, int) and now.timestamp() - signed_in <= timedelta(seconds=max_age).total_seconds()
    )
    if not (is_met and is_recent):
        raise InsufficientAuthentication(acr_values, max_age)


def is_offered(wanted: Sequence[str]) -> bool:
    """Whether one of the levels can be reached here."""
    return any(level in LEVELS for level in wanted)


def wants_more(acr: str, wanted: Sequence[str]) -> bool:
    """Whether proving more could reach one of the levels that this sign-in does not."""
    return bool(wanted) and _meeting(acr, wanted) is None and is_offered(wanted)


def told_acr(acr: str, wanted: Sequence[str], *, is_essential: bool) -> str:
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
