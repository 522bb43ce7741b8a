"""A person's own page: their data, where they are signed in, their password."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import PasswordField, RadioField
from wtforms.validators import EqualTo, InputRequired

from identity.authentication.login_throttling.rules import WaitBeforeTrying
from identity.authentication.passwords.actions import change_password as replace_password
from identity.authentication.sessions import actions
from identity.authentication.sessions.queries import active_sessions, current_sign_in
from identity.people import actions as people
from identity.people.queries import get_person
from kernel.base.errors import Invalid
from kernel.http.i18n import LANGUAGES, speaking
from kernel.jobs.access import current_principal, person, requires
from kernel.pages.forms import Form, explain
from kernel.pages.layout import remember_language, when_language_is_chosen

pages = Blueprint("account", __name__, url_prefix="/account", template_folder="templates")
Page = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


class PasswordForm(Form):
    current = PasswordField(_("Your current password"), validators=[InputRequired(_("Enter your current password."))])
    new = PasswordField(
        _("New password"),
        validators=[InputRequired(_("Enter a new password."))],
        description=_(
            "At least 8 characters. Three or four words that do not belong together are good and easy to keep."
        ),
    )
    repeated = PasswordField(
        _("New password again"),
        validators=[
            InputRequired(_("Enter the new password again.")),
            EqualTo("new", _("The two new passwords do not match.")),
        ],
    )


class LanguageForm(Form):
    language = RadioField(_("We write to you in"), choices=list(LANGUAGES.items()))


@pages.get("")
@requires(person)
def home() -> Page:
    """Show the person's data as the state's identity has them, and where they are signed in."""
    here = current_sign_in()
    person = get_person(current_principal().id)
    sessions = active_sessions(person.id)
    if person.is_test_person:
        # Strangers share a test person; where they are is nobody's business.
        sessions = [session for session in sessions if here and session.sid == here.sid]
    return render_template(
        "account/account.html",
        person=person,
        sessions=sessions,
        here=here.sid if here else "",
        language_form=LanguageForm(None, language=person.language),
    )


@pages.post("/language")
@requires(person)
def choose_language() -> Page:
    """Write to the person, and show them these pages, in the language that they choose."""
    language = request.form.get("language", "")
    people.choose_language(current_principal().id, language)
    response = redirect(url_for("account.home"), 303)
    remember_language(response, language)
    with speaking(language):
        flash(str(_("From now on we write to you in the language that you chose.")), "success")
    return response


def _keep_language(language: str) -> None:
    if person.allows(current_principal()):
        people.choose_language(current_principal().id, language)


@pages.record
def keep_the_language_of_the_switch(state: BlueprintSetupState) -> None:
    """Write to a person in the language that they chose for our pages while signed in."""
    when_language_is_chosen(cast(Flask, state.app), _keep_language)


@pages.post("/sessions/<sid>/end")
@requires(person)
def end_session(sid: str) -> Page:
    actions.end_session(sid)
    flash(_("That session has ended."), "success")
    return redirect(url_for("account.home"), 303)


@pages.post("/sessions/end-others")
@requires(person)
def end_other_sessions() -> Page:
    actions.end_other_sessions()
    flash(_("You are now signed in only here."), "success")
    return redirect(url_for("account.home"), 303)


@pages.get("/password")
@requires(person)
def password() -> Page:
    return _password(PasswordForm())


@pages.post("/password")
@requires(person)
def change_password() -> Page:
    """Replace the password and end the sessions elsewhere."""
    form = PasswordForm()
    if form.validate_on_submit():
        try:
            replace_password(current_principal(), form.current.data, form.new.data, request.remote_addr or "")
        except (Invalid, WaitBeforeTrying) as problem:
            explain(form, problem)
            return _password(form), problem.status, problem.headers
        flash(_("Your password has changed. Elsewhere you have been signed out."), "success")
        return redirect(url_for("account.home"), 303)
    return _password(form), 422


def _password(form: PasswordForm) -> str:
    return render_template("account/password.html", form=form, run=get_person(current_principal().id).run)
