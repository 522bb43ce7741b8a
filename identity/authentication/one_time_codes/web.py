"""A person's own pages about their second step: set it up, choose when it is asked for, take it away."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import HiddenField, PasswordField, RadioField, StringField
from wtforms.validators import InputRequired

from identity.authentication.login_throttling.rules import WaitBeforeTrying
from identity.authentication.one_time_codes import actions
from identity.authentication.one_time_codes.queries import find_factor, secret_to_activate
from identity.authentication.one_time_codes.rules import (
    CodeRequired,
    NotEnrolled,
    grouped,
    otpauth_link,
    qr_code,
    readable_secret,
)
from identity.authentication.sessions.web import set_cookie
from identity.people.queries import get_person
from identity.people.rules import SECOND_FACTOR_ALWAYS, SECOND_FACTOR_WHEN_ASKED
from kernel.base.errors import Invalid
from kernel.jobs.access import current_principal, person, requires
from kernel.pages.forms import Form, explain
from kernel.pages.layout import next_path

pages = Blueprint("one_time_codes", __name__, url_prefix="/account/second-step", template_folder="templates")
Page = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


class EnrollForm(Form):
    password = PasswordField(_("Your password"), validators=[InputRequired(_("Enter your password."))])
    next = HiddenField()


class FirstCodeForm(Form):
    code = StringField(
        _("The code that your app shows"),
        validators=[InputRequired(_("Enter the code."))],
        description=_("Six digits. The app shows new ones every half a minute."),
    )
    next = HiddenField()


class ProofForm(Form):
    password = PasswordField(_("Your password"), validators=[InputRequired(_("Enter your password."))])
    code = StringField(
        _("Code"),
        validators=[InputRequired(_("Enter the code."))],
        description=_("The one that your app shows now, or a recovery code."),
    )


class UseForm(Form):
    use = RadioField(
        _("When we ask for the code"),
        choices=[
            (SECOND_FACTOR_ALWAYS, _("Each time you sign in")),
            (SECOND_FACTOR_WHEN_ASKED, _("Only when an application asks for it")),
        ],
        validators=[InputRequired(_("Choose one."))],
    )


@pages.get("")
@requires(person)
def home() -> Page:
    """Explain the second step, or show how the person's is set up."""
    return _home(EnrollForm(next=next_path()))


@pages.post("")
@requires(person)
def enroll() -> Page:
    """Make a secret for the person's app, once they have written their password again."""
    form = EnrollForm()
    if form.validate_on_submit():
        try:
            actions.enroll(current_principal(), form.password.data, _address())
        except (Invalid, WaitBeforeTrying) as problem:
            explain(form, problem)
            return _home(form), problem.status, problem.headers
        return redirect(url_for("one_time_codes.show_secret", next=next_path() or None), 303)
    return _home(form), 422


@pages.get("/confirm")
@requires(person)
def show_secret() -> Page:
    """Show the secret until a first code confirms that the app has it."""
    return _confirm(FirstCodeForm(next=next_path()))


@pages.post("/confirm")
@requires(person)
def activate() -> Page:
    """Take the first code, and show the recovery codes this once."""
    form = FirstCodeForm()
    if not form.validate_on_submit():
        return _confirm(form, 422)
    try:
        codes, started = actions.activate(form.code.data, _address())
    except (Invalid, WaitBeforeTrying) as problem:
        explain(form, problem)
        return _confirm(form, problem.status, problem.headers)
    except NotEnrolled:
        return redirect(url_for("one_time_codes.home"), 303)
    response = make_response(_show(codes))
    set_cookie(response, started.token)
    return response


@pages.post("/use")
@requires(person)
def choose_use() -> Page:
    """Each time, or only when an application asks."""
    form = UseForm()
    if not form.validate_on_submit():
        return _home(use=form), 422
    try:
        actions.choose_use(always=form.use.data == SECOND_FACTOR_ALWAYS)
    except CodeRequired:
        return redirect(url_for("signin.ask_for_code", next=url_for("one_time_codes.home")), 303)
    flash(_("Saved."), "success")
    return redirect(url_for("one_time_codes.home"), 303)


@pages.get("/recovery-codes")
@requires(person)
def recovery_codes() -> Page:
    return _proof_page("one_time_codes/renew.html", ProofForm())


@pages.post("/recovery-codes")
@requires(person)
def renew_recovery_codes() -> Page:
    """Show new recovery codes this once; the ones before end."""
    form = ProofForm()
    if not form.validate_on_submit():
        return _proof_page("one_time_codes/renew.html", form), 422
    try:
        codes = actions.renew_recovery_codes(current_principal(), form.password.data, form.code.data, _address())
    except (Invalid, WaitBeforeTrying) as problem:
        explain(form, problem)
        return _proof_page("one_time_codes/renew.html", form), problem.status, problem.headers
    return _show(codes)


@pages.get("/remove")
@requires(person)
def ask_to_remove() -> Page:
    return _proof_page("one_time_codes/remove.html", ProofForm())


@pages.post("/remove")
@requires(person)
def remove() -> Page:
    """Sign in with the password alone from now on."""
    form = ProofForm()
    if not form.validate_on_submit():
        return _proof_page("one_time_codes/remove.html", form), 422
    try:
        actions.remove(current_principal(), form.password.data, form.code.data, _address())
    except (Invalid, WaitBeforeTrying) as problem:
        explain(form, problem)
        return _proof_page("one_time_codes/remove.html", form), problem.status, problem.headers
    flash(_("The second step has been removed. You sign in with your password alone."), "success")
    return redirect(url_for("one_time_codes.home"), 303)


def _home(enroll: EnrollForm | None = None, use: UseForm | None = None) -> str:
    person = get_person(current_principal().id)
    factor = find_factor(person.id)
    return render_template(
        "one_time_codes/home.html",
        person=person,
        run=person.run,
        factor=factor if person.second_factor else None,
        begin=enroll or EnrollForm(),
        use=use or UseForm(use=person.second_factor),
    )


def _confirm(form: FirstCodeForm, status: int = 200, headers: Mapping[str, str] | None = None) -> Page:
    """The page with the secret; whoever has none to confirm, because they did or waited too long, goes home."""
    person = get_person(current_principal().id)
    try:
        secret = secret_to_activate(person.id)
    except NotEnrolled:
        return redirect(url_for("one_time_codes.home"), 303)
    link = otpauth_link(secret, str(person.run))
    page = render_template(
        "one_time_codes/confirm.html", form=form, secret=readable_secret(secret), link=link, picture=qr_code(link)
    )
    return page, status, dict(headers or {})


def _proof_page(page: str, form: ProofForm) -> str:
    return render_template(page, form=form, run=get_person(current_principal().id).run)


def _show(codes: list[str]) -> str:
    following = next_path() or url_for("one_time_codes.home")
    return render_template("one_time_codes/recovery_codes.html", codes=list(map(grouped, codes)), following=following)


def _address() -> str:
    return request.remote_addr or ""
