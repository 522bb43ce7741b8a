"""The state's agencies as a tree of any day, and the authority's forms that change it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import DateField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from identity.agencies import actions
from identity.agencies.queries import AgencyOnDay, active_agencies, agency_on, get_agency, tree_on
from identity.agencies.rules import EARLIEST, KINDS, LATEST, MAX_NAME, MAX_NORM, AgencyChange, branches_of
from kernel.base import clock
from kernel.base.errors import Conflict, Invalid
from kernel.jobs.access import authority, official, requires
from kernel.pages.forms import Form, explain, one_line
from kernel.pages.submissions import once, submit_once

pages = Blueprint("agencies", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]

_NORM = _("The law, decree or resolution that says so, for example “Ley 21.180” or “Decreto 4 de 2026”.")


class PlaceForm(Form):
    """An agency's place in the tree, and the norm behind it."""

    name = StringField(_("Name"), validators=[InputRequired(_("Write the name.")), Length(max=MAX_NAME)])
    kind = SelectField(_("Kind"), choices=[SelectChoice(value, label) for value, label in KINDS.items()])
    parent = SelectField(_("Depends on"), description=_("The agency directly above it in the state."))
    norm = StringField(_("Norm"), validators=[Optional(), one_line, Length(max=MAX_NORM)], description=_NORM)

    def offer_parents(self, own: str = "") -> None:
        """Offer the agencies that exist today to choose from."""
        self.parent.data = self.parent.data or ""
        agencies = [one for one in active_agencies() if one.code != own]
        # One that begins later is known by its code only; it stays if it is the parent.
        known = {one.code for one in agencies}
        former = [self.parent.data] if self.parent.data and self.parent.data not in known else []
        self.parent.choices = [
            SelectChoice("", _("No other agency: at the top of the state")),
            *(SelectChoice(one.code, f"{one.name} ({one.code})") for one in agencies),
            *(SelectChoice(code, code) for code in former),
        ]


class AgencyForm(PlaceForm):
    code = StringField(
        _("State code"),
        validators=[InputRequired(_("Write the state code."))],
        description=_(
            "From the state codes manager: two letters and digits, for example AE001. It cannot be changed later."
        ),
    )
    valid_from = DateField(_("First day"), validators=[Optional()], description=_("Empty: today."))


class ChangeForm(PlaceForm):
    counts_from = DateField(
        _("Counts from"),
        validators=[Optional()],
        description=_("The day from which the norm says so, also one in the past or to come. Empty: today."),
    )

    def changed(self, now: AgencyOnDay) -> dict[str, str | None]:
        """The fields that differ from what the agency is today: the rest stays as it was at each time."""
        written = {"name": self.name.data, "kind": self.kind.data, "parent": self.parent.data or None}
        return {field: value for field, value in written.items() if value != getattr(now, field)}


class ValidityForm(Form):
    valid_from = DateField(_("First day"), validators=[InputRequired(_("Write the first day."))])
    valid_until = DateField(
        _("Last day"),
        validators=[Optional()],
        description=_("The last day on which the agency exists. Empty: it goes on."),
    )
    successor = SelectField(_("Successor"), description=_("The agency that takes over its tasks, if there is one."))
    norm = StringField(_("Norm"), validators=[Optional(), one_line, Length(max=MAX_NORM)], description=_NORM)

    def offer_successors(self, own: str) -> None:
        """Offer the other agencies that exist today to choose from."""
        self.successor.data = self.successor.data or ""
        agencies = [one for one in active_agencies() if one.code != own]
        former = {self.successor.data} - {None, "", *(one.code for one in agencies)}
        self.successor.choices = [
            SelectChoice("", _("None")),
            *(SelectChoice(one.code, f"{one.name} ({one.code})") for one in agencies),
            *(SelectChoice(code, code) for code in former),
        ]


@pages.get("/agencies")
@requires(official)
def browse() -> Page:
    """The state's tree, to read."""
    return _show_tree("officials.agency", is_managed=False)


@pages.get("/authority/agencies")
@requires(authority)
def list_agencies() -> Page:
    return _show_tree("officials.show_agency", is_managed=True)


def _show_tree(page_of: str, *, is_managed: bool) -> str:
    on, today = request.args.get("on", ""), clock.today()
    day = _day_of(on)
    branches = branches_of(tree_on(day or today), request.args.get("q", ""))
    return render_template(
        "agencies/list.html",
        branches=branches,
        page_of=page_of,
        is_managed=is_managed,
        kinds=KINDS,
        day=day or today,
        today=today,
        on=on,
        is_day_wrong=bool(on) and day is None,
        q=request.args.get("q", ""),
    )


def _day_of(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None


@pages.get("/authority/agencies/new")
@requires(authority)
def new_agency() -> Page:
    form = AgencyForm()
    form.kind.data, form.parent.data = "service", request.args.get("parent", "")
    form.offer_parents()
    return render_template("agencies/new.html", form=form)


@pages.post("/authority/agencies/new")
@requires(authority)
@once()
def create_agency() -> Page:
    form = AgencyForm()
    form.kind.data = form.kind.data or "service"
    form.offer_parents()
    if form.validate_on_submit():
        try:
            agency = submit_once(
                lambda: actions.create_agency(
                    form.code.data,
                    form.name.data,
                    kind=form.kind.data,
                    parent=form.parent.data,
                    valid_from=form.valid_from.data,
                    norm=form.norm.data or "",
                ),
                lambda made: url_for("officials.show_agency", code=made.code),
            )
        except (Invalid, Conflict) as problem:
            explain(form, problem)
            return render_template("agencies/new.html", form=form), problem.status
        flash(_("%(agency)s has been registered. Now name its first administrator.", agency=agency.name), "success")
        return redirect(url_for("officials.show_agency", code=agency.code), 303)
    return render_template("agencies/new.html", form=form), 422


@pages.get("/authority/agencies/<code>/change")
@requires(authority)
def change(code: str) -> Page:
    now = agency_on(code, clock.today())
    form = ChangeForm(name=now.name, kind=now.kind, parent=now.parent or "")
    form.offer_parents(code)
    return render_template("agencies/change.html", agency=now, form=form)


@pages.post("/authority/agencies/<code>/change")
@requires(authority)
@once()
def change_agency(code: str) -> Page:
    now, form = agency_on(code, clock.today()), ChangeForm()
    form.offer_parents(code)
    status = 422
    if form.validate_on_submit():
        wanted = AgencyChange(form.changed(now), form.counts_from.data or clock.today(), form.norm.data or "")
        status = _try(form, code, lambda: actions.change_agency(code, wanted))
        if status == 303:
            flash(_("The change has been noted. It counts from the day you named."), "success")
            return redirect(url_for("officials.show_agency", code=code), 303)
    return render_template("agencies/change.html", agency=now, form=form), status


@pages.get("/authority/agencies/<code>/validity")
@requires(authority)
def validity(code: str) -> Page:
    agency = get_agency(code)
    form = ValidityForm(
        valid_from=agency.valid_from, valid_until=agency.valid_until, successor=agency.successor_code or ""
    )
    form.offer_successors(code)
    return render_template("agencies/validity.html", agency=agency, form=form)


@pages.post("/authority/agencies/<code>/validity")
@requires(authority)
@once()
def set_validity(code: str) -> Page:
    agency, form = get_agency(code), ValidityForm()
    form.offer_successors(code)
    status = 422
    if form.validate_on_submit():
        status = _try(
            form,
            code,
            lambda: actions.set_validity(
                code,
                form.valid_from.data,
                form.valid_until.data,
                successor=form.successor.data,
                norm=form.norm.data or "",
            ),
        )
        if status == 303:
            flash(_("The days have been noted."), "success")
            return redirect(url_for("officials.show_agency", code=code), 303)
    return render_template("agencies/validity.html", agency=agency, form=form), status


def _try(form: Form, code: str, change: Callable[[], object]) -> int:
    """Make the change, or explain in the form why not; the status of the answer."""
    try:
        submit_once(change, lambda _: url_for("officials.show_agency", code=code))
    except (Invalid, Conflict) as problem:
        explain(form, problem)
        return problem.status
    return 303
