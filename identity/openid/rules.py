"""The provider's rules: what each profile demands, how long things live, and its errors in OAuth's words."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from identity.clients.profiles.rules import PROFILES as PROFILES
from identity.clients.profiles.rules import Profile as Profile
from kernel.base.errors import Problem, Words, _

MACHINE_TOKEN_LIFETIME = timedelta(minutes=10)
ACCESS_TOKEN_LIFETIME = timedelta(hours=1)
ID_TOKEN_LIFETIME = timedelta(hours=1)
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
REFRESH_RETRY_GRACE = timedelta(minutes=5)
"""The time for which a refresh may be asked for once more, as long as what it gave has not been used. An answer may be
lost in an outage, and the application comes again when that is over.
"""
SIGN_IN_DETOUR = timedelta(minutes=15)
PUSHED_REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
PUSHED_REQUEST_LIFETIME = timedelta(seconds=90)
REQUEST_KEPT = timedelta(hours=1)
"""The time that whoever began in time may take in all for signing in, choosing and agreeing."""
SWEPT_AFTER = timedelta(days=1)
USE_NOTED_EVERY = timedelta(minutes=1)
"""The precision with which a person's last use of an application is told."""
MAX_PARAMETER_CHARACTERS = 2_000
MAX_STATE_CHARACTERS = 6_000
"""As it stands in an address, encoded: so much leaves room for the rest of one of 8,000 characters, there and back."""
MAX_NONCE_CHARACTERS = 500


IN_ID_TOKEN = frozenset({"name", "profile", "email"})
"""Scopes whose claims an application may choose to be told in the ID token too."""
TOLD_IN_ID_TOKEN = "told-in-id-token"
"""Stands among the scopes that a person agreed to for where their claims are told: nobody can ask for it."""


def to_agree_to(wanted: Iterable[str], scopes: Iterable[str], has_claims_in_id_token: bool) -> frozenset[str]:
    """All that a person has to agree to: the wishes, and that the ID token tells of these scopes too."""
    also = has_claims_in_id_token and not IN_ID_TOKEN.isdisjoint(scopes)
    return frozenset(wanted) | ({TOLD_IN_ID_TOKEN} if also else frozenset())


def lifetime(scopes: Iterable[str]) -> timedelta:
    """The lifetime of what comes of a sign-in with these scopes."""
    return REFRESH_TOKEN_LIFETIME if "offline_access" in scopes else ACCESS_TOKEN_LIFETIME


class OAuthProblem(Problem):
    """An error of the protocol. `is_redirectable`: whether the client may be told by sending the browser there."""

    kind = "oauth-error"
    status = 400
    is_redirectable: ClassVar[bool] = True
    is_detail_for_developers = True
    title = _("The application's request is not correct")
    explanation = _("The application that sent you here made a request that the protocol does not allow.")
    remedy = _("Go back to the application and try again. If it happens again, tell those who run it.")
    for_people: ClassVar[Words] = Words(
        _("The application made a mistake"),
        _("The application that sent you here asked for something that we cannot do. It is not your mistake."),
        _("Go back to the application and try again. If it happens again, tell those who run it."),
    )
    oauth_error = "invalid_request"

    @classmethod
    def page_words(cls) -> Words:
        """The explanations speak to whoever programs the application: a person reads the words for people alone."""
        return cls.for_people


class UnknownClient(OAuthProblem):
    """RFC 6749 4.1.2.1: an unknown client must not be answered with a redirect."""

    kind = "unknown-application"
    is_redirectable = False
    title = _("We do not know the application that sent you here")
    explanation = _("The address does not name an application registered here, or the application has been revoked.")
    remedy = _("Do not go on. Start again from the official site of the service that you want to use.")
    for_people = Words(
        _("We do not know the application that sent you here"),
        _("The link that brought you names no application that we know, or one that has been closed."),
        _("Do not go on. Start again from the official site of the service that you want to use."),
    )
    oauth_error = "invalid_client"


class UnregisteredRedirect(OAuthProblem):
    """RFC 6749 4.1.2.1: the browser must not be sent to an address that is not registered."""

    kind = "unregistered-redirect"
    is_redirectable = False
    title = _("The application wants to send you to an address that it did not register")
    explanation = _("The address to return to must be, letter by letter, one of those registered for the application.")
    remedy = _("Do not go on. If you run the application, register the address or correct the request.")
    for_people = Words(
        _("We cannot take you back to the application"),
        _(
            "The application that sent you here wants to return you to an address that we do not know as its own. "
            "This may be a mistake by those who run it, or an attempt to deceive you. Nothing was shared."
        ),
        _("Do not go on. Start again from the official site of the service that you want to use."),
    )


class WrongEnvironment(OAuthProblem):
    """Test persons live in the sandbox, and only they do."""

    kind = "wrong-environment"
    status = 403
    is_redirectable = False
    title = _("You cannot enter this application with this identity")
    explanation = _(
        "Applications under test accept test persons only, so that nobody's real data is used for testing. "
        "Applications in use accept real persons only."
    )
    remedy = _("Sign out and sign in with an identity that the application accepts.")
    for_people = Words(title, explanation, remedy)
    is_detail_for_developers = False
    oauth_error = "access_denied"


class MalformedRequest(OAuthProblem):
    kind = "oauth-invalid-request"
    title = "invalid_request"
    explanation = _("A parameter is missing, came twice or has a value that is not accepted.")
    remedy = _(
        "Compare the request with the documentation of your profile; the description says which parameter it is."
    )
    oauth_error = "invalid_request"


class UnsupportedResponseType(OAuthProblem):
    kind = "oauth-unsupported-response-type"
    title = "unsupported_response_type"
    explanation = _("Only the authorization code flow is offered: no token ever travels through the browser.")
    remedy = _("Ask with response_type=code.")
    oauth_error = "unsupported_response_type"


class UnauthorizedClient(OAuthProblem):
    kind = "oauth-unauthorized-client"
    title = "unauthorized_client"
    explanation = _("The application is registered, but not for this way of getting tokens.")
    remedy = _("Use the grant of your profile: authorization_code for people, client_credentials for systems.")
    oauth_error = "unauthorized_client"


class InvalidScope(OAuthProblem):
    kind = "oauth-invalid-scope"
    title = "invalid_scope"
    explanation = _("The scope lacks openid, or names something that the application or system is not registered for.")
    remedy = _("Ask only for what is registered, or have more registered.")
    oauth_error = "invalid_scope"


class AccessDenied(OAuthProblem):
    kind = "oauth-access-denied"
    title = "access_denied"
    explanation = _("The person decided not to share their data with the application.")
    remedy = _("Tell the person what they can do without signing in, and let them try again.")
    oauth_error = "access_denied"


class LoginRequired(OAuthProblem):
    kind = "oauth-login-required"
    title = "login_required"
    explanation = _("The application asked not to show any page, and nobody is signed in.")
    remedy = _("Send the person again without prompt=none.")
    oauth_error = "login_required"


class ConsentRequired(OAuthProblem):
    kind = "oauth-consent-required"
    title = "consent_required"
    explanation = _(
        "The application asked not to show any page, and the person has not agreed yet to share what it asks for."
    )
    remedy = _("Send the person again without prompt=none.")
    oauth_error = "consent_required"


class RequestUriUnsupported(OAuthProblem):
    kind = "oauth-request-uri-not-supported"
    title = "request_uri_not_supported"
    explanation = _("The request_uri is none of ours: we do not fetch requests from other places.")
    remedy = _("Push the request to us first, or send it signed in the parameter request.")
    oauth_error = "request_uri_not_supported"


class RegistrationUnsupported(OAuthProblem):
    kind = "oauth-registration-not-supported"
    title = "registration_not_supported"
    explanation = _("An application cannot register itself with its request.")
    remedy = _("Register it in its owner's pages or in the sandbox.")
    oauth_error = "registration_not_supported"


class InvalidClient(OAuthProblem):
    """RFC 6749 5.2: with 401, which may be used for every way to authenticate."""

    kind = "oauth-invalid-client"
    status = 401
    title = "invalid_client"
    explanation = _(
        "The client_id is unknown or revoked, the secret is wrong or has ended, or the client registered "
        "another way to authenticate."
    )
    remedy = _("Check the credentials; make a new secret if this one may be lost.")
    oauth_error = "invalid_client"


class InvalidGrant(OAuthProblem):
    kind = "oauth-invalid-grant"
    title = "invalid_grant"
    explanation = _(
        "The code or refresh token is unknown, was used before, has expired, was revoked, or does not fit the"
        " request that it came from."
    )
    remedy = _("Start the sign-in again. A code works once, and for a short time only.")
    oauth_error = "invalid_grant"


class UnsupportedGrantType(OAuthProblem):
    kind = "oauth-unsupported-grant-type"
    title = "unsupported_grant_type"
    explanation = _("The token endpoint does not know this grant.")
    remedy = _("Use authorization_code, refresh_token or client_credentials.")
    oauth_error = "unsupported_grant_type"


class InvalidToken(OAuthProblem):
    """RFC 6750 3.1."""

    kind = "invalid-token"
    status = 401
    title = _("The access token is not valid")
    explanation = _("It is malformed, has expired, was revoked, or is not meant for this place.")
    remedy = _("Ask for a new access token.")
    oauth_error = "invalid_token"


class InsufficientScope(OAuthProblem):
    """RFC 6750 3.1."""

    kind = "oauth-insufficient-scope"
    status = 403
    title = "insufficient_scope"
    explanation = _("The access token is valid, but not for this: it lacks the scope that the challenge names.")
    remedy = _("Ask for a token with that scope.")
    oauth_error = "insufficient_scope"


def pairwise_subject(key: bytes, sector: str, person_id: str) -> str:
    """OIDC Core 8.1: who a person is to one sector, so that two sectors cannot put together what they know."""
    digest = hmac.new(key, f"{sector}\x00{person_id}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def left_half_hash(value: str) -> str:
    """OIDC Core 3.1.3.6, `at_hash`: the left half of the SHA-256, for algorithms whose name ends in 256."""
    digest = hashlib.sha256(value.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def must_sign_in_again(
    authenticated_at: datetime, now: datetime, *, demanded: bool, max_age: int | None, since: datetime | None
) -> bool:
    """OIDC Core 3.1.2.1: whether the client wants a newer sign-in than this one (`prompt=login`, `max_age`).

    since: when this same request sent the person to sign in; having done so since then fulfils both.
    """
    if since is not None and now - since <= SIGN_IN_DETOUR and authenticated_at >= since:
        return False
    return demanded or (max_age is not None and now - authenticated_at > timedelta(seconds=max_age))


def person_claims(
    profile: str,
    scopes: Iterable[str],
    run: tuple[int, str],
    names: tuple[Sequence[str], Sequence[str]],
    email: str | None,
) -> dict[str, Any]:
    """Return the person's claims besides `sub`: those that the scopes name, in the shape of the client's profile."""
    granted = set(scopes)
    given, family = names
    claims: dict[str, Any] = {}
    if "run" in granted:
        claims["RolUnico"] = {"DV": run[1], "numero": run[0], "tipo": "RUN"}
    if profile == "clave-unica":
        if "name" in granted:
            claims["name"] = {"apellidos": list(family), "nombres": list(given)}
        if "email" in granted:
            # At least one known client breaks when it asked for the address and the key is missing.
            claims["email"] = email or ""
        return claims
    if granted & {"name", "profile"}:
        # OIDC Core 5.1: names are strings.
        claims |= {
            "name": " ".join([*given, *family]),
            "given_name": " ".join(given),
            "family_name": " ".join(family),
        }
    if "email" in granted and email:
        claims["email"] = email
        claims["email_verified"] = False
    return claims
