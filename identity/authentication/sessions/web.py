"""Leaving, and the cookie that names a session."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask_babel import lazy_gettext as _
from werkzeug.http import dump_cookie
from werkzeug.wrappers import Response

from identity.authentication.sessions import actions
from identity.authentication.sessions.queries import current_sign_in
from identity.authentication.sessions.rules import COOKIE
from kernel.base.installation import settings
from kernel.http.csrf import renew_form_key
from kernel.jobs.access import public

pages = Blueprint("sessions", __name__, template_folder="templates")
Page = str | Response


@pages.get("/sign-out")
@public("leaving is always allowed")
def ask_to_sign_out() -> Page:
    """Ask before leaving: a link alone must not sign anybody out."""
    if current_sign_in() is None:
        return redirect("/", 303)
    return render_template("sessions/sign_out.html")


@pages.post("/sign-out")
@public("leaving is always allowed")
def sign_out() -> Page:
    """End the session and forget the cookie."""
    actions.sign_out()
    renew_form_key()
    flash(_("You have signed out. On a shared computer, close the window too."), "success")
    response = redirect("/", 303)
    forget_cookie(response)
    return response


def set_cookie(response: Response, token: str) -> None:
    """Let the browser keep what names its session."""
    response.headers.add("Set-Cookie", cookie_of(token))


def cookie_of(token: str) -> str:
    """RFC 6265 4.1.1. No lifetime: it goes with the browser's window, and the server ends it in any case."""
    return dump_cookie(COOKIE, token, secure=settings().is_secure, httponly=True, samesite="Lax")


def forget_cookie(response: Response) -> None:
    """Take the session's cookie out of the browser."""
    response.delete_cookie(COOKIE, secure=settings().is_secure, httponly=True, samesite="Lax")
