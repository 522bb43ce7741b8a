"""Pages of agreements, for the officials of the two agencies."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import HiddenField, IntegerField, RadioField, TextAreaField
from wtforms.validators import InputRequired

from catalogue.agreements import actions, queries
from catalogue.agreements.rules import STATUS_LABELS, AlreadyAgreed, Purpose, Side, Transition, is_late, needs_reasons
from catalogue.ports import agency_name, ports
from catalogue.services.queries import published_version
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound
from kernel.base.installation import settings
from kernel.jobs.access import current_principal, official, requires, role
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

pages = Blueprint("agreements", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]
PARTIES = role("publisher", "administrator")
STATUS_KINDS = {
    "requested": "waiting",
    "active": "ok",
    "refused": "problem",
    "suspended": "attention",
    "ended": "neutral",
}
NEEDED = _("This is required.")
DONE = {
    Transition.APPROVE: _("The agreement is active. The other agency can make its credentials now."),
    Transition.REFUSE: _("The request has been refused, with your reasons."),
    Transition.SUSPEND: _("The agreement is suspended: the gateway lets nothing through until your agency resumes it."),
    Transition.RESUME: _("The agreement is active again."),
    Transition.END: _("The agreement has ended and its credentials no longer work."),
}


class RequestForm(Form):
    purpose = TextAreaField(
        _("Purpose"),
        validators=[InputRequired(NEEDED)],
        description=_("The procedure or task in which your agency will use the service."),
    )
    legal_basis = TextAreaField(
        _("Legal basis"),
        validators=[InputRequired(NEEDED)],
        description=_("The law and article that allow your agency to do so, such as Ley 18.695, art. 5."),
    )
    personal_data = RadioField(
        _("Is personal data exchanged?"),
        choices=[("yes", _("Yes")), ("no", _("No"))],
        validators=[InputRequired(_("Choose yes or no."))],
    )
    daily_calls = IntegerField(
        _("Maximum calls per day"),
        validators=[InputRequired(_("A whole number."))],
        description=_("The gateway lets this many calls through from one midnight to the next, and refuses the rest."),
    )

    def purpose_asked(self) -> Purpose:
        """Raises Invalid."""
        return Purpose.checked(
            text=self.purpose.data or "",
            legal_basis=self.legal_basis.data or "",
            personal_data=self.personal_data.data == "yes",
            daily_calls=self.daily_calls.data or 0,
        )


class TransitionForm(Form):
    reasons = TextAreaField(
        _("Reasons"),
        validators=[InputRequired(NEEDED)],
        description=_("The other agency will read them exactly as you write them."),
    )
    step = HiddenField()


@pages.context_processor
def names() -> dict[str, object]:
    return {
        "agency_name": agency_name,
        "agreement_labels": STATUS_LABELS,
        "agreement_kinds": STATUS_KINDS,
        "is_late": lambda agreement: is_late(agreement.status, agreement.answer_by, clock.now()),
    }


@pages.get("/agency/agreements")
@requires(official)
def own_agreements() -> Page:
    """The agency's agreements: as the one that uses (`?side=consumer`), or as the one that offers (`owner`)."""
    agency = current_principal().acting_agency
    waiting = queries.count_to_answer(agency.code)
    side_name = request.args.get("side", "")
    side = Side(side_name) if side_name in set(Side) else (Side.OWNER if waiting else Side.CONSUMER)
    page = queries.of_agency(agency.code, side, cursor=request.args.get("cursor"))
    return render_template("agreements/own.html", page=page, side=side, agency=agency, waiting=waiting)


@pages.route("/agency/agreements/new", methods=["GET", "POST"])
@requires(PARTIES)
@once()
def new() -> Page:
    """Ask for an agreement on `?service=SRV-…&version=v1`."""
    version = published_version(request.args.get("service", ""), request.args.get("version", ""))
    form = RequestForm()
    if form.validate_on_submit():
        try:
            purpose = form.purpose_asked()
            agreement = submit_once(
                lambda: actions.request_agreement(current_principal(), version.service.code, version.version, purpose),
                lambda made: url_for("agreements.show", code=made.code),
            )
            flash(_("Your request has been sent. The owner must answer within 15 business days."), "success")
            return redirect(url_for("agreements.show", code=agreement.code), 303)
        except (Invalid, AlreadyAgreed) as problem:
            explain(form, problem)
    page = render_template("agreements/new.html", form=form, version=version, service=version.service)
    return (page, 422) if form.errors else page


@pages.get("/agency/agreements/<code>")
@requires(official)
def show(code: str) -> Page:
    return _page(code, TransitionForm(formdata=None))


@pages.post("/agency/agreements/<code>")
@requires(PARTIES)
@once()
def transition(code: str) -> Page:
    """Approve, refuse, suspend, resume or end, as the form's `step` says."""
    form = TransitionForm()
    if form.step.data not in set(Transition):
        raise NotFound(log="no such step")
    step = Transition(form.step.data)
    try:
        submit_once(
            lambda: actions.transition(current_principal(), code, step, form.reasons.data or ""),
            lambda made: url_for("agreements.show", code=made.code),
        )
    except Invalid as invalid:
        explain(form, invalid)
        return _page(code, form), 422
    flash(DONE[step], "success")
    return redirect(url_for("agreements.show", code=code), 303)


@pages.route("/agency/agreements/<code>/<step>", methods=["GET"])
@requires(PARTIES)
def ask(code: str, step: str) -> Page:
    """The form of a step that needs reasons."""
    if step not in set(Transition) or not needs_reasons(Transition(step)):
        raise NotFound(log="no such step")
    return _page(code, TransitionForm(formdata=None, step=step))


@pages.post("/agency/agreements/<code>/credentials")
@requires(PARTIES)
@once(SECRET_SHOWN)
def issue_credentials(code: str) -> Response:
    """Make or replace the credentials. The secret is on this one page and nowhere else, so it is not kept anywhere."""
    agreement, credentials = submit_once(
        lambda: actions.issue_credentials(current_principal(), code),
        lambda _: url_for("agreements.show", code=code),
    )
    page = render_template(
        "agreements/credentials.html",
        agreement=agreement,
        credentials=credentials,
        path=_first_path(agreement.service_code, agreement.version),
        **_addresses(agreement),
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(code: str, form: TransitionForm) -> str:
    principal = current_principal()
    agreement = queries.find(code, principal)
    side = agreement.side_of(principal.acting_agency.code)
    return render_template(
        "agreements/show.html",
        agreement=agreement,
        side=side,
        form=form,
        steps=agreement.transitions_for(side) if side and PARTIES.allows(principal) else [],
        may_issue=side == Side.CONSUMER and agreement.is_active and PARTIES.allows(principal),
        **_addresses(agreement),
    )


def _first_path(service: str, version: str) -> str:
    """An operation that needs nothing but its address, for the example; empty where there is none."""
    operations = published_version(service, version).operations
    simple = (one["path"] for one in operations if one["method"] == "GET" and "{" not in one["path"])
    return str(next(simple, "")).removeprefix("/")


def _addresses(agreement: object) -> dict[str, str]:
    base = settings().base_url
    service, version = getattr(agreement, "service_code", ""), getattr(agreement, "version", "")
    return {"token_address": ports().token_address(), "gateway": f"{base}/gateway/{service}/{version}/"}
