"""GET and POST /openid/authorize (RFC 6749 3.1, OIDC Core 3.1.2), and the pages that ask the person."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from flask import redirect, render_template, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from identity.authentication.sessions.queries import current_sign_in
from identity.authentication.signin.rules import SignInPurpose
from identity.authentication.signin.web import WAY, Way, ask_to_sign_in
from identity.clients.registry.rules import PUBLIC_SECTOR
from identity.openid.authorization import actions
from identity.openid.authorization.authorization_request import PATH, AuthorizationRequest
from identity.openid.authorization.checks import AUTHORIZE, IDENTIFYING, Check, run
from identity.openid.authorization.checks.check_login_hint import check_login_hint
from identity.openid.authorization.interactions import InteractionKind
from identity.openid.endpoints import at, from_other_sites, pages
from identity.openid.endpoints.second_step import question_of_second_step
from identity.openid.grants.authorization_details import in_plain_words
from identity.openid.grants.step_up import achieved_acr
from identity.openid.rules import (
    IN_ID_TOKEN,
    AccessDenied,
    ConsentRequired,
    LoginRequired,
    OAuthProblem,
    WrongEnvironment,
    must_sign_in_again,
)
from identity.openid.tokens.tokens import subject_for
from kernel.base import clock
from kernel.base.errors import Problem
from kernel.http.i18n import request_language
from kernel.http.security import allow_form_action
from kernel.jobs.access import public

if TYPE_CHECKING:
    from identity.authentication.sessions.queries import SignIn
    from identity.people.rules import KnownPerson

Page = str | Response
SHARED = {
    "openid": _("that you are the same person each time, without telling other organisations"),
    "run": _("your RUN"),
    "name": _("your names and surnames"),
    "profile": _("your names and surnames"),
    "email": _("your e-mail address"),
    "account": _(
        "the applications that you share data with; and it can stop the sharing once you have entered your code"
    ),
    "offline_access": _("all of this even while you are away, until you stop sharing it"),
}
KNOWN_TO_OTHERS = _("that you are the same person each time, by an identifier that other applications know too")


ALSO_IN_ID_TOKEN = _(
    "your names and e-mail address, where you share them, also in the signed proof of your sign-in: the application may"
    " keep it, and your browser carries it when you sign out"
)


def in_words(
    scopes: Collection[str], sector: str, person: KnownPerson | None = None, *, in_id_token: bool
) -> list[str]:
    """Name the data that an application of the sector will know of a person; of this one, where somebody is about to
    agree.

    in_id_token: whether its ID tokens tell of it too.
    """
    words = {**SHARED, "openid": KNOWN_TO_OTHERS} if sector == PUBLIC_SECTOR else SHARED
    values = _values(person) if person else {}
    shared = [
        f"{text}, {values[scope]}" if scope in values else str(text) for scope, text in words.items() if scope in scopes
    ]
    if in_id_token and not IN_ID_TOKEN.isdisjoint(scopes):
        shared.append(str(ALSO_IN_ID_TOKEN))
    return list(dict.fromkeys(shared))


def _values(person: KnownPerson) -> dict[str, str]:
    """The data themselves, as the person reads them before they agree."""
    email = person.email or str(_("which we do not have"))
    return {"run": str(person.run), "name": person.name, "profile": person.name, "email": email}


@from_other_sites(PATH, "GET", "POST")
@public("the protocol says who may come")
def authorize() -> Page:
    """Check the request, find out who is there, ask whether they agree, and send them back with a code."""
    auth_request = AuthorizationRequest.of_this_request()
    try:
        _check(auth_request, AUTHORIZE)
        return _decide(auth_request)
    except OAuthProblem as problem:
        return auth_request.refuse(problem)


@at("/openid/consent", "POST")
@public("the protocol says who may come")
def consent() -> Page:
    """Take the person's decision. The whole request is checked again: it has been in the browser's hands."""
    auth_request = AuthorizationRequest.of_query(request.args.to_dict(flat=False))
    try:
        _check(auth_request, AUTHORIZE)
        sign_in = current_sign_in()
        # Our mark says that this request was shown to this session, after all that it asks of a sign-in was met.
        if sign_in is None or not auth_request.has_been(InteractionKind.CONSENT):
            return _decide(auth_request)
        _check_person(auth_request, sign_in)
        if request.form.get("decision") == "allow":
            return auth_request.answer(code=actions.allow(_entry(auth_request, sign_in)))
        actions.deny(_entry(auth_request, sign_in))
        raise AccessDenied("The person did not agree.")
    except OAuthProblem as problem:
        return auth_request.refuse(problem)


def _check(auth_request: AuthorizationRequest, checks: tuple[Check, ...]) -> None:
    """Run the checks. What is wrong is told in the language of the request as well. Raises OAuthProblem."""
    try:
        run(checks, auth_request)
    finally:
        request_language(auth_request.one("ui_locales"))


def _decide(auth_request: AuthorizationRequest) -> Page:
    ask = _question(auth_request)
    return ask() if ask else _enter(auth_request) or _ask(auth_request)


def _enter(auth_request: AuthorizationRequest) -> Response | None:
    """Send the person back with a code; None where they have to agree first."""
    # RFC 8252 8.6: without a word of the person's only where it is sure which application asks.
    if "consent" in auth_request.prompts or auth_request.is_impersonable:
        return None
    code = actions.issue_code(_entry(auth_request, _signed_in()))
    return auth_request.answer(code=code) if code is not None else None


def _signed_in() -> SignIn:
    sign_in = current_sign_in()
    if sign_in is None:
        raise LoginRequired("Nobody is signed in.")
    return sign_in


def _question(auth_request: AuthorizationRequest) -> Callable[[], Page] | None:
    """Return the question that a person has to answer before they may enter, but for their consent; None where
    everything is known.
    """
    sign_in = current_sign_in()
    if sign_in is None or _must_sign_in(auth_request, sign_in):
        # OIDC Core 3.1.2.6: with prompt=none nobody is asked anything.
        if "none" in auth_request.prompts:
            raise LoginRequired("Nobody is signed in, the sign-in is too old, or it is another person's.")
        return partial(_ask_to_sign_in, auth_request)
    _check_person(auth_request, sign_in)
    if "select_account" in auth_request.prompts and auth_request.detour is None:
        return partial(_ask_who, auth_request, sign_in)
    return question_of_second_step(auth_request, sign_in)


def _ask_to_sign_in(auth_request: AuthorizationRequest) -> Page:
    if request.method == "POST":
        # So that who changes the language, or reloads the page, does not lose the request.
        return redirect(_sign_in_page(auth_request), 303)
    # Signing in may lead straight on to the client, which the form's policy has to know.
    allow_form_action(auth_request.redirect_uri)
    return ask_to_sign_in(
        auth_request.way_back(InteractionKind.SIGN_IN, clock.now()),
        SignInPurpose(auth_request.client.name, auth_request.login_hint),
    )


def _must_sign_in(auth_request: AuthorizationRequest, sign_in: SignIn) -> bool:
    since = auth_request.sent_to_sign_in_at
    has_just_done_so = since is not None and sign_in.authenticated_at >= since
    if not has_just_done_so and _is_somebody_else(auth_request, sign_in):
        return True
    return must_sign_in_again(
        sign_in.authenticated_at,
        clock.now(),
        # Who went on from the page to choose a person had signed in by then.
        demanded="login" in auth_request.prompts and not auth_request.has_been(InteractionKind.CHOOSE),
        max_age=auth_request.max_age,
        since=since,
    )


def _is_somebody_else(auth_request: AuthorizationRequest, sign_in: SignIn) -> bool:
    return auth_request.subject is not None and auth_request.subject != subject_for(
        auth_request.client, sign_in.person.id
    )


def _check_person(auth_request: AuthorizationRequest, sign_in: SignIn) -> None:
    # OIDC Core 3.1.2.2: the client wants one person, and another one signed in.
    if _is_somebody_else(auth_request, sign_in):
        raise LoginRequired("The person who signed in is not the one that the request names.")
    if sign_in.person.is_test_person != auth_request.client.is_for_test_persons:
        # OIDC Core 3.1.2.1: with prompt=none no page is shown, not even this one.
        if "none" in auth_request.prompts:
            raise AccessDenied("This person may not enter this application.")
        if auth_request.client.is_for_test_persons:
            raise WrongEnvironment(_("This application is under test: only test persons may enter."))
        raise WrongEnvironment(_("You are signed in as a test person, and this application is in use."))


def _sign_in_page(auth_request: AuthorizationRequest) -> str:
    return url_for("signin.sign_in", next=auth_request.way_back(InteractionKind.SIGN_IN, clock.now()), again=1)


def _ask_who(auth_request: AuthorizationRequest, sign_in: SignIn) -> str:
    """OIDC Core 3.1.2.1, select_account: go on as the person signed in, or as somebody else."""
    return render_template(
        "openid/select_account.html",
        client=auth_request.client,
        person=sign_in.person,
        go_on=auth_request.way_back(InteractionKind.CHOOSE, clock.now()),
        somebody_else=_sign_in_page(auth_request),
    )


def _ask(auth_request: AuthorizationRequest) -> str:
    """Whether the person agrees."""
    if "none" in auth_request.prompts:
        raise ConsentRequired("The person has not agreed yet.")
    # The form leads to the client, which Chromium's form-action has to know.
    allow_form_action(auth_request.redirect_uri)
    person = _signed_in().person
    return render_template(
        "openid/consent.html",
        client=auth_request.client,
        person=person,
        shared=in_words(
            auth_request.agreed_scopes,
            auth_request.client.sector,
            person,
            in_id_token=auth_request.client.has_claims_in_id_token,
        ),
        details=in_plain_words(auth_request.authorization_details),
        host=urlsplit(auth_request.redirect_uri).netloc,
        action=url_for("openid.consent") + "?" + auth_request.as_marked_query(InteractionKind.CONSENT, clock.now()),
        sign_out_and_back=_sign_in_page(auth_request),
    )


def _entry(auth_request: AuthorizationRequest, sign_in: SignIn) -> actions.AuthorizationDecision:
    return actions.AuthorizationDecision(
        person_id=sign_in.person.id,
        sid=sign_in.sid,
        authenticated_at=sign_in.authenticated_at,
        acr=achieved_acr(sign_in.acr, auth_request.acr_values, is_essential=auth_request.acr_is_essential),
        amr=sign_in.amr,
        client=auth_request.client,
        redirect_uri=auth_request.redirect_uri,
        scopes=auth_request.scopes,
        nonce=auth_request.nonce,
        code_challenge=auth_request.code_challenge,
        dpop_jkt=auth_request.dpop_jkt,
        agreed_scopes=auth_request.agreed_scopes,
        claims=auth_request.claims.as_row(),
        resources=auth_request.resources,
        authorization_details=auth_request.authorization_details,
        pushed=auth_request.pushed,
        interaction=auth_request.detour.interaction if auth_request.detour else "",
    )


def application_asking(following: str) -> SignInPurpose | None:
    """For the sign-in page: the application or device that the person is on the way to, None if there is none."""
    if urlsplit(following).path.rstrip("/") == url_for("openid.device"):
        return SignInPurpose("", None, is_for_device=True)
    auth_request = request_at(following)
    try:
        if auth_request is None:
            return None
        _check(auth_request, (*IDENTIFYING, check_login_hint))
    except OAuthProblem:
        return None
    allow_form_action(auth_request.redirect_uri)
    return SignInPurpose(auth_request.client.name, auth_request.login_hint)


def enter_after_sign_in(following: str) -> Response | None:
    """The answer to the application that the person was on the way to, where there is nothing more to ask them.

    None where there is, or something is wrong: the way itself tells then.
    """
    auth_request = request_at(following)
    try:
        if auth_request is None:
            return None
        run(AUTHORIZE, auth_request)
        return None if _question(auth_request) else _enter(auth_request)
    except Problem:
        return None


def request_at(path: str) -> AuthorizationRequest | None:
    """The authorization request that a path of this site stands for."""
    parts = urlsplit(path)
    if parts.path.rstrip("/") != PATH:
        return None
    return AuthorizationRequest.of_query(parse_qs(parts.query, keep_blank_values=True))


@pages.record
def help_the_sign_in_page(state: BlueprintSetupState) -> None:
    """Let the sign-in page say which application asks, and lead straight on to it."""
    WAY.fill(state.app, Way(application_asking, enter_after_sign_in))
