"""The sandbox's front door, and how a developer comes in: an e-mail, a link, a button."""

from __future__ import annotations

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import DataRequired

from kernel.base.errors import Invalid
from kernel.base.installation import settings
from kernel.http.rate_limit import limiter
from kernel.jobs.access import ANONYMOUS, Principal, Rule, act_as, declared_access, public
from kernel.pages.forms import Form
from kernel.pages.layout import local_path
from sandbox.accounts import actions, queries
from sandbox.accounts.rules import DEVELOPER, SESSION_LIFETIME
from sandbox.demonstration.settings import DemonstrationSettings

COOKIE = "cordillera_developer"
COOKIE_PATH = "/sandbox"

pages = Blueprint("sandbox_accounts", __name__, url_prefix="/sandbox", template_folder="templates")
Page = str | Response | tuple[str, int]
developer = Rule("a developer signed in to the sandbox", lambda p: p.kind == DEVELOPER, "sandbox_accounts.sign_in")


class EmailForm(Form):
    email = StringField(
        _("Your e-mail"),
        validators=[DataRequired(_("Enter your e-mail address."))],
        description=_("We send a link to it."),
    )


def developer_principal() -> Principal | None:
    """Authenticate a developer by the sandbox's own cookie, on the sandbox's pages only.

    Whoever tries their application signs in as a test person in the same browser: below `/sandbox` the developer
    counts, elsewhere the person. A page for developers with none there asks for a sign-in, whoever else has signed in.
    """
    if not (request.path == COOKIE_PATH or request.path.startswith(f"{COOKIE_PATH}/")):
        return None
    account = queries.developer_of_session(request.cookies.get(COOKIE, "")) if COOKIE in request.cookies else None
    if account is not None:
        return actions.principal_of(account)
    view = current_app.view_functions.get(request.endpoint or "")
    return ANONYMOUS if declared_access(view) == developer.name else None


@pages.get("/")
@public("what the sandbox is")
def home() -> Page:
    return render_template(
        "sandbox_accounts/home.html", site=settings().of(DemonstrationSettings).demonstration_site_url
    )


@pages.get("/sign-up")
@public("anyone may try")
def sign_up() -> Page:
    return _ask(EmailForm(), is_new=True)


@pages.get("/sign-in")
@public("how developers come in")
def sign_in() -> Page:
    return _ask(EmailForm(), is_new=False)


@pages.post("/sign-up")
@limiter.limit("30 per hour")
@public("anyone may try")
def send_first_link() -> Page:
    return _send(is_new=True)


@pages.post("/sign-in")
@limiter.limit("30 per hour")
@public("how developers come in")
def send_link() -> Page:
    return _send(is_new=False)


@pages.get("/link-sent")
@public("the same answer for everybody")
def link_sent() -> Page:
    return render_template("sandbox_accounts/link_sent.html", shows_mail=not settings().is_production)


@pages.get("/sign-in/confirm")
@public("whoever holds the link")
def open_link() -> Page:
    """Ask for a click: mail scanners open every link of a mail, and must not use it up."""
    # In the query and not in the path, for paths are logged.
    token = request.args.get("token", "")
    return render_template("sandbox_accounts/confirm_link.html", email=queries.email_of_link(token), token=token)


@pages.post("/sign-in/confirm")
@limiter.limit("60 per hour")
@public("whoever holds the link")
def confirm_link() -> Page:
    opened = actions.confirm_link(request.form.get("token", ""))
    response = redirect(local_path(opened.next_path), 303)
    response.set_cookie(
        COOKIE,
        opened.token,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path=COOKIE_PATH,
        secure=settings().is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


@pages.post("/sign-out")
@public("leaving is always allowed")
def sign_out() -> Page:
    actions.end_session(request.cookies.get(COOKIE, ""))
    act_as(ANONYMOUS)
    response = redirect(url_for("sandbox_accounts.home"), 303)
    response.delete_cookie(COOKIE, path=COOKIE_PATH)
    return response


def _ask(form: EmailForm, *, is_new: bool) -> str:
    return render_template("sandbox_accounts/ask_email.html", form=form, is_new=is_new)


def _send(*, is_new: bool) -> Page:
    form = EmailForm()
    if not form.validate_on_submit():
        return _ask(form, is_new=is_new), 422
    wanted = request.args.get("next")
    next_path = local_path(wanted) if wanted else url_for("sandbox_applications.list_applications")
    try:
        actions.request_link(form.email.data, request.remote_addr or "", next_path)
    except Invalid as problem:
        form.email.errors = [*form.email.errors, *problem.fields["email"]]
        return _ask(form, is_new=is_new), 422
    return redirect(url_for("sandbox_accounts.link_sent"), 303)
