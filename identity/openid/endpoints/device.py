"""/device: where a person types the code that another device shows, sees who asks, and decides (RFC 8628 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import render_template, request
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response

from identity.authentication.login_throttling.actions import forgive_guess, take_guess
from identity.authentication.sessions.queries import current_sign_in
from identity.clients.registry.queries import registered_client
from identity.clients.registry.rules import RegisteredClient
from identity.openid.authorization import interactions
from identity.openid.authorization.queries import decided_device, device_waiting
from identity.openid.endpoints import at
from identity.openid.endpoints.authorize import in_words
from identity.openid.endpoints.device_step_up import page_before_approval
from identity.openid.grants.authorization_details import in_plain_words
from identity.openid.grants.device_actions import decide_device
from identity.openid.grants.device_codes import PAGE, format_user_code, typed
from identity.openid.rules import WrongEnvironment
from kernel.base.errors import SignInRequired
from kernel.jobs.access import current_principal, person, requires

if TYPE_CHECKING:
    from identity.authentication.sessions.queries import SignIn
    from identity.openid.models import DeviceAuthorization

Page = str | tuple[str, int] | Response
WRONG_CODE = 422


@at(PAGE, "GET")
@requires(person)
def device() -> str:
    """Ask for the code; a link may bring it along, but going on is the person's."""
    return render_template(
        "openid/device.html",
        user_code=request.args.get("user_code", "")[:20],
        detour=request.args.get(interactions.PARAMETER, ""),
        is_wrong=False,
    )


@at(PAGE, "POST")
@requires(person)
def device_asks() -> Page:
    """Say who asks and for what."""
    pending = _waiting()
    if pending is None:
        return _ask_again()
    authorization, client = pending
    sign_in, user_code = _sign_in(), format_user_code(typed(request.form["user_code"]) or "")
    _check_environment(client, sign_in)
    if (page := page_before_approval(authorization, client, sign_in, user_code)) is not None:
        return page
    return render_template(
        "openid/device_consent.html",
        client=client,
        person=sign_in.person,
        shared=in_words(authorization.scopes, client.sector, sign_in.person, in_id_token=client.has_claims_in_id_token),
        details=in_plain_words(authorization.authorization_details),
        user_code=user_code,
        # draft-ietf-oauth-cross-device-security 6.1: who is asked learns where the request comes from, and when.
        asked_at=authorization.created_at,
        detour=request.form.get(interactions.PARAMETER, ""),
    )


@at("/device/decide", "POST")
@requires(person)
def device_decided() -> Page:
    """Take the person's decision; the device learns it when it asks next."""
    pending = _waiting()
    if pending is None:
        return _said_before() or _ask_again()
    authorization, client = pending
    sign_in = _sign_in()
    _check_environment(client, sign_in)
    # RFC 8628 5.4: nothing but the button that allows, allows.
    allowed = request.form.get("decision") == "allow"
    # The form has been in the browser's hands: what was asked of the sign-in is asked again.
    user_code = format_user_code(typed(request.form["user_code"]) or "")
    if allowed and (page := page_before_approval(authorization, client, sign_in, user_code)) is not None:
        return page
    if not decide_device(authorization.id, sign_in, client, allowed=allowed):
        return _said_before() or _ask_again()
    return render_template("openid/device_done.html", client=client, allowed=allowed)


def _said_before() -> Page | None:
    """The page that told what the person decided, for a button that was pressed twice."""
    code = typed(request.form.get("user_code", ""))
    authorization = decided_device(code, _sign_in().sid) if code else None
    client = registered_client(authorization.client_id) if authorization else None
    if authorization is None or client is None:
        return None
    return render_template("openid/device_done.html", client=client, allowed=authorization.decision == "allow")


def _waiting() -> tuple[DeviceAuthorization, RegisteredClient] | None:
    """Return the request of the device whose code was typed. Raises WaitBeforeTrying: with 34 bits and ten minutes,
    guessing leads nowhere.
    """
    # RFC 8628 5.1
    key = f"device-code:{current_principal().id}"
    take_guess(key)
    code = typed(request.form.get("user_code", ""))
    authorization = device_waiting(code) if code else None
    client = registered_client(authorization.client_id) if authorization else None
    if authorization is None or client is None:
        return None
    forgive_guess(key)
    return authorization, client


def _ask_again() -> Page:
    page = render_template("openid/device.html", user_code=request.form.get("user_code", "")[:20], is_wrong=True)
    return page, WRONG_CODE


def _sign_in() -> SignIn:
    sign_in = current_sign_in()
    if sign_in is None:
        raise SignInRequired()
    return sign_in


def _check_environment(client: RegisteredClient, sign_in: SignIn) -> None:
    if sign_in.person.is_test_person == client.is_for_test_persons:
        return
    if client.is_for_test_persons:
        raise WrongEnvironment(_("This application is under test: only test persons may enter."))
    raise WrongEnvironment(_("You are signed in as a test person, and this application is in use."))
