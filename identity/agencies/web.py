"""Pages of officials: who else works here; and of the authority: the agencies."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from identity.agencies import actions
from identity.agencies.queries import agencies_page, get_agency, members_page
from identity.agencies.rules import ADMINISTRATOR, CORRESPONDENT, PUBLISHER, LastAdministrator
from kernel.base.errors import Conflict, Invalid
from kernel.jobs.access import (
    authority,
    current_principal,
    requires,
    role,
)
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once

pages = Blueprint("agencies", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]

ROLE_NAMES = {
    ADMINISTRATOR: _("Administrator: manages members and systems"),
    PUBLISHER: _("Publisher: services and agreements"),
    CORRESPONDENT: _("Correspondent: official communications"),
}
ROLE_LABELS = {ADMINISTRATOR: _("Administrator"), PUBLISHER: _("Publisher"), CORRESPONDENT: _("Correspondent")}


class MemberForm(Form):
    run = StringField(_("RUN of the person"), validators=[InputRequired(_("Write the person's RUN."))])
    role = SelectField(_("Role"), choices=[SelectChoice(value, label) for value, label in ROLE_NAMES.items()])


class AgencyForm(Form):
    code = StringField(
        _("State code"),
        validators=[InputRequired(_("Write the state code."))],
        description=_(
            "From the state codes manager: two letters and digits, for example AE001. It cannot be changed later."
        ),
    )
    name = StringField(_("Name"), validators=[InputRequired(_("Write the name."))])


class NameForm(Form):
    name = StringField(_("Name"), validators=[InputRequired(_("Write the name."))])


@pages.get("/agency/members")
@requires(role(ADMINISTRATOR))
def members() -> Page:
    return _show_members(MemberForm())


@pages.post("/agency/members")
@requires(role(ADMINISTRATOR))
@once()
def add_member() -> Page:
    form = MemberForm()
    if not form.validate_on_submit() or not _grant(
        current_principal().acting_agency.code, form, url_for("agencies.members")
    ):
        return _show_members(form), 422
    return redirect(url_for("agencies.members"), 303)


@pages.post("/agency/members/<uuid:person_id>/<role>/remove")
@requires(role(ADMINISTRATOR))
def remove_role(person_id: UUID, role: str) -> Page:
    principal = current_principal()
    _revoke(principal.acting_agency.code, person_id, role)
    # Who took a role of their own away may not see the members any more.
    is_own = principal.id == str(person_id)
    return redirect(url_for("acting.home" if is_own else "agencies.members"), 303)


def _show_members(form: MemberForm) -> str:
    agency = current_principal().acting_agency
    return render_template(
        "agencies/members.html",
        agency=agency,
        page=members_page(agency.code, request.args.get("cursor")),
        form=form,
        role_labels=ROLE_LABELS,
    )


@pages.get("/authority/agencies")
@requires(authority)
def list_agencies() -> Page:
    return render_template("agencies/list.html", page=agencies_page(request.args.get("cursor")))


@pages.get("/authority/agencies/new")
@requires(authority)
def new_agency() -> Page:
    return render_template("agencies/new.html", form=AgencyForm())


@pages.post("/authority/agencies/new")
@requires(authority)
@once()
def create_agency() -> Page:
    form = AgencyForm()
    if form.validate_on_submit():
        try:
            agency = submit_once(
                lambda: actions.create_agency(form.code.data, form.name.data),
                lambda made: url_for("agencies.show_agency", code=made.code),
            )
        except (Invalid, Conflict) as problem:
            explain(form, problem)
            return render_template("agencies/new.html", form=form), problem.status
        flash(_("%(agency)s has been registered. Now name its first administrator.", agency=agency.name), "success")
        return redirect(url_for("agencies.show_agency", code=agency.code), 303)
    return render_template("agencies/new.html", form=form), 422


@pages.get("/authority/agencies/<code>")
@requires(authority)
def show_agency(code: str) -> Page:
    return _show_agency(code, MemberForm())


@pages.post("/authority/agencies/<code>")
@requires(authority)
@once()
def add_member_of(code: str) -> Page:
    form, address = MemberForm(), url_for("agencies.show_agency", code=code)
    if not form.validate_on_submit() or not _grant(code, form, address):
        return _show_agency(code, form), 422
    return redirect(address, 303)


@pages.post("/authority/agencies/<code>/members/<uuid:person_id>/<role>/remove")
@requires(authority)
def remove_role_of(code: str, person_id: UUID, role: str) -> Page:
    _revoke(code, person_id, role)
    return redirect(url_for("agencies.show_agency", code=code), 303)


@pages.get("/authority/agencies/<code>/name")
@requires(authority)
def name(code: str) -> Page:
    agency = get_agency(code)
    return render_template("agencies/rename.html", agency=agency, form=NameForm(name=agency.name))


@pages.post("/authority/agencies/<code>/name")
@requires(authority)
def rename_agency(code: str) -> Page:
    form = NameForm()
    if form.validate_on_submit():
        try:
            actions.rename_agency(code, form.name.data)
        except Invalid as problem:
            explain(form, problem)
        else:
            flash(_("The name has changed."), "success")
            return redirect(url_for("agencies.show_agency", code=code), 303)
    return render_template("agencies/rename.html", agency=get_agency(code), form=form), 422


def _show_agency(code: str, form: MemberForm) -> str:
    return render_template(
        "agencies/show.html",
        agency=get_agency(code),
        page=members_page(code, request.args.get("cursor")),
        form=form,
        role_labels=ROLE_LABELS,
    )


def _grant(code: str, form: MemberForm, address: str) -> bool:
    try:
        added = submit_once(lambda: actions.add_member(code, form.run.data, form.role.data), lambda _: address)
    except (Invalid, Conflict) as problem:
        explain(form, problem)
        return False
    flash(_("%(person)s has the role now.", person=added.name), "success")
    return True


def _revoke(code: str, person_id: UUID, role: str) -> None:
    try:
        actions.remove_role(code, person_id, role)
    except LastAdministrator as problem:
        flash(f"{problem.explanation} {problem.remedy}", "problem")
        return
    flash(_("The role was removed."), "success")
