"""Pages of officials: whom to act for, who else works here; and of the authority: the agencies."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from identity.agencies import actions
from identity.agencies.queries import agencies_of, agencies_page, get_agency, members_page
from identity.agencies.rules import ADMINISTRATOR, CORRESPONDENT, PUBLISHER, LastAdministrator, effective_roles
from identity.ports import agency_tasks
from kernel.access import (
    ACTING_FOR,
    Principal,
    Rule,
    authority,
    current_principal,
    declared_rules,
    person,
    requires,
    role,
)
from kernel.errors import Conflict, Invalid
from kernel.forms import Form, explain
from kernel.layout import local_path
from kernel.submissions import once, submit_once

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


# ---- officials ----


@pages.before_app_request
def act_for_the_agency_concerned() -> Response | None:
    """Whoever comes to a page of officials, and acts for no agency or not for the one that the link names, acts for the
    agency concerned where it is the only one, and is asked which where there are more. Nobody is moved from one agency
    to another without being asked. Whose the thing on the page is, the page itself looks at.
    """
    rules = declared_rules(current_app.view_functions.get(request.endpoint or ""))
    if request.method != "GET" or not any(rule.is_of_officials for rule in rules):
        return None
    principal, named = current_principal(), request.args.get(ACTING_FOR, "")
    if principal.kind not in ("person", "official") or (principal.agency and named in ("", principal.agency.code)):
        return None
    codes = _where_it_would_be_allowed(principal, rules)
    if named in codes:
        codes = [named]
    elif principal.agency:
        return None
    if len(codes) == 1 and principal.agency is None:
        actions.choose_agency(codes[0])
        return redirect(_this_page(), 303)
    return redirect(url_for("agencies.home", next=_this_page(), asked=named or None), 303) if codes else None


def _where_it_would_be_allowed(principal: Principal, rules: tuple[Rule, ...]) -> list[str]:
    """The codes of the agencies for which the person could act to fulfil the rules."""
    acting = (
        replace(
            principal,
            kind="official",
            agency=agency,
            roles=effective_roles(frozenset(held), is_authority=agency.is_authority),
        )
        for agency, held in agencies_of(principal.id)
    )
    return [one.acting_agency.code for one in acting if all(rule.allows(one) for rule in rules)]


def _this_page() -> str:
    """This very page, without the word about the agency."""
    came = parse_qsl(request.query_string.decode(), keep_blank_values=True)
    others = [(name, value) for name, value in came if name != ACTING_FOR]
    return request.path + (f"?{urlencode(others)}" if others else "")


@pages.get("/agency")
@requires(person)
def home() -> Page:
    """The home of an official; for who acts for none, the agencies to choose from."""
    principal = current_principal()
    agencies = agencies_of(principal.id)
    return render_template(
        "agencies/home.html",
        agencies=agencies,
        acting=principal.agency,
        tasks=agency_tasks(principal) if principal.agency else [],
        roles=principal.roles,
        role_labels=ROLE_LABELS,
        next=request.args.get("next", ""),
        asked=next((agency for agency, _held in agencies if agency.code == request.args.get("asked")), None),
    )


@pages.post("/agency")
@requires(person)
def choose() -> Page:
    """Act for the agency in the form's `agency`."""
    agency = actions.choose_agency(request.form.get("agency", ""))
    flash(_("You are now acting for %(agency)s.", agency=agency.name), "success")
    wanted = request.form.get("next")
    return redirect(local_path(wanted) if wanted else url_for("agencies.home"), 303)


@pages.post("/agency/leave")
@requires(person)
def leave() -> Page:
    """Act in one's own name again."""
    actions.act_for_oneself()
    flash(_("You are now acting on your own behalf."), "success")
    return redirect(url_for("agencies.home"), 303)


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
    return redirect(url_for("agencies.home" if is_own else "agencies.members"), 303)


def _show_members(form: MemberForm) -> str:
    agency = current_principal().acting_agency
    return render_template(
        "agencies/members.html",
        agency=agency,
        page=members_page(agency.code, request.args.get("cursor")),
        form=form,
        role_labels=ROLE_LABELS,
    )


# ---- the authority ----


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
