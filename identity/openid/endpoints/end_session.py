"""GET and POST /openid/end-session (OIDC RP-Initiated Logout 1.0); also at /openid/logout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from flask import flash, redirect, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from identity.authentication.sessions.actions import sign_out
from identity.authentication.sessions.queries import current_sign_in
from identity.authentication.sessions.web import forget_cookie
from identity.clients.registry.queries import registered_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization.queries import is_tried_out
from identity.openid.authorization.response_modes import address_with
from identity.openid.endpoints import at, from_other_sites
from identity.openid.rules import MAX_PARAMETER_CHARACTERS, MalformedRequest, UnregisteredRedirect
from identity.openid.tokens.tokens import verified_id_token
from kernel.base.errors import _
from kernel.base.installation import settings
from kernel.http.i18n import request_language
from kernel.http.security import allow_form_action
from kernel.jobs.access import public

Page = str | Response
GOING_TO = "going_to"
CONFIRMED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Leaving:
    """A request to leave: which application asks, where to go afterwards, and whether it names this very session."""

    client: RegisteredClient | None
    destination: str | None
    is_proven: bool


@from_other_sites("/openid/end-session", "GET", "POST")
@public("leaving is always allowed")
def end_session() -> Page:
    """Leave at once where the ID token shown is of this very session; ask otherwise: no link signs anybody out."""
    leaving = _leaving()
    if current_sign_in() is None or leaving.is_proven:
        return _leave(leaving)
    fields = _parameters()
    if leaving.destination:
        allow_form_action(leaving.destination)
        fields[GOING_TO] = _seal().dumps(leaving.destination)
    return render_template("openid/end_session.html", client=leaving.client, fields=fields)


from_other_sites("/openid/logout", "GET", "POST")(end_session)


@at("/openid/end-session/confirm", "POST")
@public("leaving is always allowed")
def confirm_end_session() -> Page:
    """The person said yes. A second click ends where the first one did, although nobody is signed in any more."""
    leaving = _leaving()
    return _leave(replace(leaving, destination=leaving.destination or _confirmed_destination()))


def _confirmed_destination() -> str | None:
    """Return the address that the page that asked was going to lead to, if the page was ours."""
    try:
        destination = _seal().loads(request.form.get(GOING_TO, ""), max_age=int(CONFIRMED_WITHIN.total_seconds()))
    except BadData:
        return None
    return str(destination)


def _seal() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret_key, salt="identity:openid:end-session")


def _parameters() -> dict[str, str]:
    names = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")
    if any(len(request.values.getlist(name)) > 1 for name in names):
        raise MalformedRequest("A parameter came more than once.")
    return {name: request.values[name] for name in names if request.values.get(name)}


def _leaving() -> Leaving:
    """RP-Initiated Logout 2 and 3. Raises UnregisteredRedirect where the place to go to is not the client's."""
    given = _parameters()
    if "ui_locales" in given:
        request_language(given["ui_locales"])
    hint = verified_id_token(given["id_token_hint"]) if "id_token_hint" in given else None
    client_id = str(hint["aud"]) if hint else given.get("client_id", "")
    # RP-Initiated Logout 2: where both are there, they must be of the same client.
    if given.get("client_id", client_id) != client_id:
        raise MalformedRequest("The id_token_hint was not issued to this client_id.")
    client = registered_client(client_id)
    wanted = given.get("post_logout_redirect_uri")
    if wanted is None:
        destination = None
    elif client is None or wanted not in client.post_logout_redirect_uris:
        raise UnregisteredRedirect(_("This post_logout_redirect_uri is not registered for the application."))
    elif client.is_unverified and not is_tried_out():
        # RP-Initiated Logout 3 and RFC 9700 4.11: a link of ours must not end where whoever sends it likes.
        destination = None
    else:
        destination = _with_state(wanted, given.get("state"))
    sign_in = current_sign_in()
    is_proven = hint is not None and sign_in is not None and hint.get("sid") == sign_in.sid
    return Leaving(client, destination, is_proven)


def _with_state(uri: str, state: str | None) -> str:
    return address_with(uri, {"state": state}) if state and len(state) <= MAX_PARAMETER_CHARACTERS else uri


def _leave(leaving: Leaving) -> Page:
    sign_out()
    if leaving.destination is None:
        flash(_("You have signed out. On a shared computer, close the window too."), "success")
    response: Response = redirect(leaving.destination or "/", 303)
    forget_cookie(response)
    return response
