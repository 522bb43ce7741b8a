"""A person's notices, and how they want to be told of what concerns them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectField

from identity.inbox import actions
from identity.inbox.queries import Preference, preferences_of
from kernel.base.errors import Text
from kernel.base.notices import MAIL, PAGE, TIMING_LABELS
from kernel.jobs.access import current_principal, person, requires
from kernel.outside import inbox
from kernel.pages.forms import Form
from kernel.pages.layout import local_path

pages = Blueprint("inbox", __name__, url_prefix="/account/notices", template_folder="templates")
Page = str | Response | tuple[str, int]
CHANNEL_LABELS: dict[str, Text] = {PAGE: _("On these pages"), MAIL: _("By e-mail")}


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


def _preferences(offered: list[Preference], form: Form | None = None) -> str:
    groups: dict[str, list[Preference]] = {}
    for one in offered:
        groups.setdefault(str(one.template.group), []).append(one)
    return render_template(
        "inbox/preferences.html",
        groups=groups,
        form=form or preferences_form(offered),
        field_name=_field_name,
        channels=CHANNEL_LABELS,
        timings=TIMING_LABELS,
    )
