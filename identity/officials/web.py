"""An agency's page, with its place in the state, its history, and its officials by their functions."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import BooleanField, DateField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from identity.agencies.queries import agencies_page, agency_on, changes_page, get_agency, names_of, path_to
from identity.agencies.rules import KINDS, MAX_NORM
from identity.officials import actions
from identity.officials.queries import FUNCTIONS, appointments_of, past_appointments
from identity.officials.rules import ADMINISTRATOR, LastAdministrator
from kernel.base import clock
from kernel.base.errors import Conflict, Invalid
from kernel.jobs.access import authority, current_principal, official, requires, role
from kernel.pages.forms import Form, explain, one_line
from kernel.pages.submissions import once, submit_once

pages = Blueprint("officials", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]


class AppointmentForm(Form):
    run = StringField(_("RUN of the person"), validators=[InputRequired(_("Write the person's RUN."))])
    function = SelectField(_("Function"))
    is_deputy = BooleanField(_("As deputy, with the same rights"))
    starts_on = DateField(_("First day"), validators=[Optional()], description=_("Empty: today."))
    ends_on = DateField(_("Last day"), validators=[Optional()], description=_("Empty: until somebody ends it."))
    norm = StringField(
        _("Norm or resolution"),
        validators=[Optional(), one_line, Length(max=MAX_NORM)],
        description=_("The one that appoints, for example “Resolución exenta 123 de 2026”."),
    )

    def __init__(self) -> None:
        super().__init__()
        self.function.choices = [
            SelectChoice(name, gettext("%(function)s: %(rights)s", function=one.title, rights=one.description))
            for name, one in FUNCTIONS().items()
        ]
        if not self.is_submitted():
            self.function.data = ADMINISTRATOR


@pages.get("/agency/members")
@requires(role(ADMINISTRATOR))
def members() -> Page:
    return _show_members(AppointmentForm())


@pages.post("/agency/members")
@requires(role(ADMINISTRATOR))
@once()
def appoint() -> Page:
    form, address = AppointmentForm(), url_for("officials.members")
    if not form.validate_on_submit() or not _appoint(current_principal().acting_agency.code, form, address):
        return _show_members(form), 422
    return redirect(address, 303)


@pages.post("/agency/members/<uuid:appointment_id>/end")
@requires(role(ADMINISTRATOR))
def end_appointment(appointment_id: UUID) -> Page:
    principal = current_principal()
    ended = _end(principal.acting_agency.code, appointment_id)
    # Who took a function of their own away may not see the members any more.
    is_own = ended == principal.id
    return redirect(url_for("acting.home" if is_own else "officials.members"), 303)


def _show_members(form: AppointmentForm) -> str:
    agency = current_principal().acting_agency
    return render_template(
        "officials/members.html",
        agency=agency,
        form=form,
        functions=FUNCTIONS(),
        appointments=appointments_of(agency.code),
        past=past_appointments(agency.code),
        today=clock.today(),
    )


@pages.get("/agencies/<code>")
@requires(official)
def agency(code: str) -> Page:
    """Show the part of an agency that every official may read."""
    return _show_agency(code, None)


@pages.get("/authority/agencies/<code>")
@requires(authority)
def show_agency(code: str) -> Page:
    return _show_agency(code, AppointmentForm())


@pages.post("/authority/agencies/<code>")
@requires(authority)
@once()
def appoint_at(code: str) -> Page:
    form, address = AppointmentForm(), url_for("officials.show_agency", code=code)
    if not form.validate_on_submit() or not _appoint(code, form, address):
        return _show_agency(code, form), 422
    return redirect(address, 303)


@pages.post("/authority/agencies/<code>/members/<uuid:appointment_id>/end")
@requires(authority)
def end_appointment_at(code: str, appointment_id: UUID) -> Page:
    _end(code, appointment_id)
    return redirect(url_for("officials.show_agency", code=code), 303)


def _show_agency(code: str, form: AppointmentForm | None) -> str:
    """form: that of the authority, who may change what is here."""
    agency, today = get_agency(code), clock.today()
    now, changes = agency_on(code, today), changes_page(code, request.args.get("cursor"))
    others = [one.fields.get(field) for one in changes.items for field in ("parent", "successor")]
    return render_template(
        "officials/agency.html",
        agency=agency,
        now=now,
        path=path_to(now, today),
        below=agencies_page(on=today, parent=code, limit=100).items,
        changes=changes,
        names=names_of([agency.successor_code, *others]),
        kinds=KINDS,
        form=form,
        functions=FUNCTIONS(),
        appointments=appointments_of(code),
        past=past_appointments(code),
        today=today,
    )


def _appoint(code: str, form: AppointmentForm, address: str) -> bool:
    try:
        appointed = submit_once(
            lambda: actions.appoint(
                code,
                form.run.data,
                form.function.data,
                is_deputy=form.is_deputy.data,
                starts_on=form.starts_on.data,
                ends_on=form.ends_on.data,
                norm=form.norm.data or "",
            ),
            lambda _: address,
        )
    except (Invalid, Conflict) as problem:
        explain(form, problem)
        return False
    flash(_("%(person)s has been appointed.", person=appointed.name), "success")
    return True


def _end(code: str, appointment_id: UUID) -> str:
    """End it, or say why not; whose it was."""
    try:
        ended = actions.end_appointment(code, appointment_id)
    except LastAdministrator as problem:
        flash(f"{problem.explanation} {problem.remedy}", "problem")
        return ""
    flash(_("The function has ended."), "success")
    return str(ended.person_id)
