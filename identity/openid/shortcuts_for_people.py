"""The shorter ways (`kernel.http.doors`) of a person who signs in to an application with a password.

For browsers that bring no cookie and say where their requests come from, and for requests without anything that is
optional. They call what the pages call; every other case goes the whole way.
"""

from __future__ import annotations

from flask import Flask

from identity.authentication.sessions.actions import StartedSession
from identity.authentication.sessions.rules import describe_device
from identity.authentication.sessions.web import cookie_of
from identity.authentication.signin.actions import sign_in_with_password
from identity.authentication.signin.web import empty_page
from identity.openid.authorization_request import PATH, AuthorizationRequest
from identity.openid.checks import AUTHORIZE, run
from identity.openid.endpoints.authorize import code_without_interaction, request_at
from identity.openid.interactions import InteractionKind
from identity.people.actions import note_language
from kernel.base import clock
from kernel.database.prepared import together
from kernel.http.csrf import OURS, SAYS_WHERE_FROM
from kernel.http.doors import Done, PlainRequest, Redirect, Shortcut, add_shortcut, only_once
from kernel.http.i18n import preferred_language
from kernel.http.security import allow_form_action
from kernel.pages.layout import local_path

PLAIN = {
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
}
"""What nearly every authorization request consists of."""
ASKED = ("run", "password", "next")


def authorize(asked: PlainRequest) -> str | None:
    """OIDC Core 3.1.2.3: the page that asks to sign in, where nobody is."""
    if not _is_a_strangers(asked) or not PLAIN.issuperset(asked.query):
        return None
    request = AuthorizationRequest.of_query({name: (value,) for name, value in asked.query.items()})
    run(AUTHORIZE, request)
    allow_form_action(request.redirect_uri)
    return empty_page.for_stranger(
        f"{PATH}?{asked.headers['QUERY_STRING']}",
        asked.headers.get("HTTP_ACCEPT_LANGUAGE", ""),
        following=request.way_back(InteractionKind.SIGN_IN, clock.now()),
        application=request.client.name,
    )


def sign_in(asked: PlainRequest) -> Redirect | Done | None:
    """The password, and with it the way on to the application."""
    form = asked.form
    if not _is_a_strangers(asked) or asked.headers[SAYS_WHERE_FROM] not in OURS or not all(map(form.get, ASKED)):
        return None
    request = request_at(local_path(form["next"]))
    if request is None or not PLAIN.issuperset(request.brought):
        return None
    run(AUTHORIZE, request)
    code = None
    with only_once(), together():
        device = describe_device(asked.headers.get("HTTP_USER_AGENT", ""))
        started = sign_in_with_password(form["run"], form["password"], asked.address, device)
        if isinstance(started, StartedSession):
            note_language(started.person, preferred_language(asked.headers.get("HTTP_ACCEPT_LANGUAGE", "")))
            code = code_without_interaction(request)
    if code is None or not isinstance(started, StartedSession):
        return Done(started)
    return Redirect(request.address_of_answer(code=code), cookie_of(started.token))


def _is_a_strangers(asked: PlainRequest) -> bool:
    """Whether the browser has no cookie of ours, and needs none for its forms."""
    return "HTTP_COOKIE" not in asked.headers and SAYS_WHERE_FROM in asked.headers


def open_shortcuts(app: Flask) -> None:
    """Let the application use them."""
    add_shortcut(app, "GET", PATH, Shortcut("openid.authorize", authorize, takes_query=True))
    add_shortcut(app, "POST", "/sign-in", Shortcut("signin.prove", sign_in))
