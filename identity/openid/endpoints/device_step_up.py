"""Step-up on the page for devices, where the device wants a second factor or a recent sign-in (RFC 9470 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from identity.openid.authorization import interactions
from identity.openid.authorization.interactions import InteractionKind
from identity.openid.grants.step_up import wants_more
from identity.openid.rules import must_sign_in_again
from kernel.base import clock

if TYPE_CHECKING:
    from identity.authentication.sessions.queries import SignIn
    from identity.clients.registry.rules import RegisteredClient
    from identity.openid.models import DeviceAuthorization


def page_before_approval(
    authorization: DeviceAuthorization, client: RegisteredClient, sign_in: SignIn, user_code: str
) -> str | Response | None:
    """Return the page on which the person signs in again, proves more, or decides to go on without; None where nothing
    is left to ask.
    """
    been, now = _detour(authorization, sign_in), clock.now()
    since = been.at if been and been.kind in (InteractionKind.SIGN_IN, InteractionKind.WITHOUT) else None

    def way_back(kind: InteractionKind) -> str:
        # As at /authorize, the mark goes on to tell since when the person was sent to sign in.
        sid = "" if kind == InteractionKind.SIGN_IN else sign_in.sid
        mark = interactions.mark(kind, _subject(authorization), sid, authorization.created_at, since or now)
        return url_for("openid.device", user_code=user_code, detour=mark)

    # OIDC Core 3.1.2.1: `max_age` counts here as it does for a browser.
    if must_sign_in_again(sign_in.authenticated_at, now, demanded=False, max_age=authorization.max_age, since=since):
        since = now
        return redirect(url_for("signin.sign_in", next=way_back(InteractionKind.SIGN_IN), again=1), 303)
    if not wants_more(sign_in.acr, authorization.acr_values):
        return None
    if sign_in.person.second_factor is not None:
        return redirect(url_for("signin.ask_for_code", next=way_back(InteractionKind.SIGN_IN)), 303)
    if been is not None and been.kind == InteractionKind.WITHOUT:
        # OIDC Core 5.5.1.1: `acr_values` is a wish, answered with what there is; the interface refuses where it must.
        return None
    return render_template(
        "openid/second_step.html",
        client=client,
        is_essential=False,
        is_test_person=sign_in.person.is_test_person,
        set_up=url_for("one_time_codes.home", next=way_back(InteractionKind.SIGN_IN)),
        without=way_back(InteractionKind.WITHOUT),
    )


def _detour(authorization: DeviceAuthorization, sign_in: SignIn) -> interactions.Detour | None:
    return interactions.read(
        request.form.get(interactions.PARAMETER, ""), _subject(authorization), sign_in.sid, clock.now()
    )


def _subject(authorization: DeviceAuthorization) -> str:
    """The subject for which the mark is good: this request of this device."""
    return f"device:{authorization.id}"
