"""GET and POST /openid/authorize (RFC 6749 3.1, OIDC Core 3.1.2), and the page that asks the person."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from flask import redirect, render_template, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from identity.openid import actions
from identity.openid.authorization_request import SIGNED_IN_SINCE, AuthorizationRequest
from identity.openid.checks import AUTHORIZATION, IDENTIFYING, run
from identity.openid.endpoints import at, from_other_sites, pages
from identity.openid.queries import has_consented
from identity.openid.rules import (
    AccessDenied,
    ConsentRequired,
    LoginRequired,
    OAuthProblem,
    WrongEnvironment,
    must_sign_in_again,
)
from identity.signin.queries import current_sign_in
from kernel import clock
from kernel.access import public
from kernel.security import allow_form_action

if TYPE_CHECKING:
    from identity.signin.queries import SignIn

Page = str | Response
SHARED = {
    "openid": _("that you are the same person each time, without telling other organisations"),
    "run": _("your RUN"),
    "name": _("your names and surnames"),
    "profile": _("your names and surnames"),
    "email": _("your e-mail address"),
    "offline_access": _("all of this also while you are away, until you withdraw it"),
}


@from_other_sites("/openid/authorize", "GET", "POST")
@public("the protocol says who may come")
def authorize() -> Page:
    """Check the request, find out who is there, ask whether they agree, and send them back with a code."""
    asked = AuthorizationRequest.of_this_request()
    try:
        run(AUTHORIZATION, asked)
        return _decide(asked)
    except OAuthProblem as problem:
        return asked.refuse(problem)


@at("/openid/consent", "POST")
@public("the protocol says who may come")
def consent() -> Page:
    """What the person decided. The whole request is checked again: it has been in the browser's hands."""
    asked = AuthorizationRequest.of_this_request()
    try:
        run(AUTHORIZATION, asked)
        sign_in = current_sign_in()
        if sign_in is None:
            return _decide(asked)
        _check_environment(asked, sign_in)
        if request.form.get("decision") == "allow":
            return asked.answer(code=actions.allow(_entry(asked, sign_in)))
        actions.deny(asked.client, asked.scopes)
        raise AccessDenied("The person did not agree.")
    except OAuthProblem as problem:
        return asked.refuse(problem)


def _decide(asked: AuthorizationRequest) -> Page:
    sign_in = current_sign_in()
    now = clock.now()
    if sign_in is None or must_sign_in_again(
        sign_in.authenticated_at,
        now,
        demanded=bool(asked.prompts & {"login", "select_account"}),
        max_age=asked.max_age,
        since=asked.signed_in_since,
    ):
        # OIDC Core 3.1.2.6: with prompt=none nobody is asked anything.
        if "none" in asked.prompts:
            raise LoginRequired("Nobody is signed in, or the sign-in is too old.")
        here = url_for("openid.authorize") + "?" + asked.as_query(**{SIGNED_IN_SINCE: str(int(now.timestamp()))})
        return redirect(url_for("signin.sign_in", next=here, again=1), 303)
    _check_environment(asked, sign_in)
    agreed = has_consented(sign_in.person.id, asked.client.client_id, asked.scopes)
    if agreed and "consent" not in asked.prompts:
        return asked.answer(code=actions.enter(_entry(asked, sign_in)))
    if "none" in asked.prompts:
        raise ConsentRequired("The person has not agreed yet.")
    return _ask(asked, sign_in)


def _ask(asked: AuthorizationRequest, sign_in: SignIn) -> str:
    # The form leads to the client, which Chromium's form-action has to know.
    allow_form_action(asked.redirect_uri)
    scopes = [scope for scope in SHARED if scope in asked.scopes]
    return render_template(
        "openid/consent.html",
        client=asked.client,
        person=sign_in.person,
        shared=list(dict.fromkeys(str(SHARED[scope]) for scope in scopes)),
        host=urlsplit(asked.redirect_uri).netloc,
        action=url_for("openid.consent") + "?" + asked.as_query(prompt="", **{SIGNED_IN_SINCE: ""}),
        sign_out_and_back=url_for(
            "signin.sign_in", again=1, next=url_for("openid.authorize") + "?" + asked.as_query(prompt="")
        ),
    )


def _check_environment(asked: AuthorizationRequest, sign_in: SignIn) -> None:
    if sign_in.person.is_test_person != (asked.client.environment == "sandbox"):
        # OIDC Core 3.1.2.1: with prompt=none no page is shown, not even this one.
        if "none" in asked.prompts:
            raise AccessDenied("This person may not enter this application.")
        if asked.client.environment == "sandbox":
            raise WrongEnvironment(_("This application is under test: only test persons may enter."))
        raise WrongEnvironment(_("You are signed in as a test person, and this application is in use."))


def _entry(asked: AuthorizationRequest, sign_in: SignIn) -> actions.Entry:
    return actions.Entry(
        person=sign_in.person,
        sid=sign_in.sid,
        authenticated_at=sign_in.authenticated_at,
        acr=sign_in.acr,
        amr=sign_in.amr,
        client=asked.client,
        redirect_uri=asked.redirect_uri,
        scopes=asked.scopes,
        nonce=asked.nonce,
        code_challenge=asked.code_challenge,
    )


def application_asking(next_path: str) -> str | None:
    """For the sign-in page: the application that the person is on the way to, None if `next_path` leads to none."""
    parts = urlsplit(next_path)
    if parts.path.rstrip("/") != url_for("openid.authorize"):
        return None
    asked = AuthorizationRequest(parse_qs(parts.query, keep_blank_values=True))
    try:
        run(IDENTIFYING, asked)
    except OAuthProblem:
        return None
    # Signing in may lead straight on to the client, so the sign-in form needs its address as well.
    allow_form_action(asked.redirect_uri)
    return asked.client.name


@pages.record
def help_the_sign_in_page(state: BlueprintSetupState) -> None:
    """Let the sign-in page say which application asks."""
    state.app.extensions["cordillera.sign_in_context"] = application_asking
