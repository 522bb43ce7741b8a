"""A person's notices, and how they want to be told of what concerns them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired

from identity.inbox import actions
from identity.inbox.queries import Preference, phone_to_confirm, preferences_of
from identity.people.queries import phone_of
from kernel.base.errors import Invalid, Text, TooMany
from kernel.base.notices import MAIL, PAGE, SMS, TIMING_LABELS
from kernel.jobs.access import current_principal, person, requires
from kernel.outside import inbox
from kernel.outside.sms import is_open
from kernel.pages.forms import Form, explain
from kernel.pages.layout import local_path

pages = Blueprint("inbox", __name__, url_prefix="/account/notices", template_folder="templates")
Page = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]
CHANNEL_LABELS: dict[str, Text] = {PAGE: _("On these pages"), MAIL: _("By e-mail"), SMS: _("By SMS")}


class PhoneForm(Form):
    phone = StringField(
        _("Mobile number"),
        validators=[InputRequired(_("Write the number."))],
        description=_("For example 9 1234 5678; of another country, with + first."),
    )


class PhoneCodeForm(Form):
    code = StringField(
        _("The code that we sent"),
        validators=[InputRequired(_("Enter the code."))],
        description=_("Six digits, good for ten minutes."),
    )


def _reader() -> UUID:
    return UUID(current_principal().id)


@pages.get("")
@requires(person)
def list_notices() -> Page:
    """Show what the person was told, and what of it they have not read."""
    notices = inbox.notices_of(_reader(), cursor=request.args.get("cursor"))
    return render_template("inbox/list.html", page=notices, unread=inbox.unread_count(_reader()))


@pages.post("/<uuid:notice_id>/open")
@requires(person)
def open_notice(notice_id: UUID) -> Page:
    """Note that it was read, and go where it leads."""
    notice = inbox.mark_read(_reader(), notice_id)
    return redirect(local_path(notice.path) if notice.path else url_for("inbox.list_notices"), 303)


@pages.post("/read")
@requires(person)
def mark_all_read() -> Page:
    inbox.mark_all_read(_reader())
    flash(_("All your notices are marked as read."), "success")
    return redirect(url_for("inbox.list_notices"), 303)


def preferences_form(preferences: Iterable[Preference]) -> Form:
    """A form with a choice for each channel of each kind for which there is one; its fields are `kind-channel`."""
    choices = {
        _field_name(one, channel): SelectField(
            CHANNEL_LABELS[channel],
            choices=[(str(timing), TIMING_LABELS[timing]) for timing in offered],
            default=str(one.timings[channel]),
        )
        for one in preferences
        for channel, offered in one.offered.items()
        if len(offered) > 1
    }
    form: Form = type("PreferencesForm", (Form,), choices)()
    return form


def _field_name(preference: Preference, channel: str) -> str:
    return f"{preference.template.kind.replace('.', '-')}-{channel}"


@pages.get("/preferences")
@requires(person)
def preferences() -> Page:
    return _preferences(preferences_of(_reader()))


@pages.post("/preferences")
@requires(person)
def choose() -> Page:
    """Keep what the person chose; of a form of before they had another role, what is still offered."""
    offered = preferences_of(_reader())
    form = preferences_form(offered)
    if not form.validate_on_submit():
        return _preferences(offered, form), 422
    wanted = {
        one.template.kind: {
            channel: form[name].data for channel in one.timings if (name := _field_name(one, channel)) in form
        }
        for one in offered
    }
    actions.choose(_reader(), wanted)
    flash(_("From now on you are told as you chose."), "success")
    return redirect(url_for("inbox.preferences"), 303)


@pages.post("/preferences/phone")
@requires(person)
def send_phone_code() -> Page:
    """Send a code to the number that the person wrote."""
    form = PhoneForm()
    if not form.validate_on_submit():
        return _preferences(preferences_of(_reader()), phone_form=form), 422
    try:
        actions.send_phone_code(_reader(), form.phone.data)
    except (Invalid, TooMany) as problem:
        explain(form, problem)
        return _preferences(preferences_of(_reader()), phone_form=form), problem.status, problem.headers
    flash(_("We sent you a code. Enter it here."), "success")
    return redirect(url_for("inbox.preferences", _anchor="phone"), 303)


@pages.post("/preferences/phone/code")
@requires(person)
def confirm_phone() -> Page:
    """Keep the number once its code was entered."""
    form = PhoneCodeForm()
    if not form.validate_on_submit():
        return _preferences(preferences_of(_reader()), code_form=form), 422
    try:
        actions.confirm_phone(_reader(), form.code.data)
    except (Invalid, TooMany) as problem:
        explain(form, problem)
        return _preferences(preferences_of(_reader()), code_form=form), problem.status, problem.headers
    flash(_("Your number is confirmed. Choose below what we tell you by SMS."), "success")
    return redirect(url_for("inbox.preferences"), 303)


@pages.post("/preferences/phone/remove")
@requires(person)
def remove_phone() -> Page:
    actions.remove_phone(_reader())
    flash(_("You are sent no SMS any more."), "success")
    return redirect(url_for("inbox.preferences"), 303)


def _preferences(
    offered: list[Preference],
    form: Form | None = None,
    phone_form: PhoneForm | None = None,
    code_form: PhoneCodeForm | None = None,
) -> str:
    groups: dict[str, list[Preference]] = {}
    for one in offered:
        groups.setdefault(str(one.template.group), []).append(one)
    return render_template(
        "inbox/preferences.html",
        has_choices=any(len(timings) > 1 for one in offered for timings in one.offered.values()),
        groups=groups,
        form=form or preferences_form(offered),
        field_name=_field_name,
        channels=CHANNEL_LABELS,
        timings=TIMING_LABELS,
        sms_is_open=is_open(),
        phone=phone_of(_reader()),
        phone_to_confirm=phone_to_confirm(_reader()),
        phone_form=phone_form or PhoneForm(),
        code_form=code_form or PhoneCodeForm(),
    )
