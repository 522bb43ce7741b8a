"""Pages of the catalogue: for everyone, for the agencies that offer services, and for the authority."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, SelectField, StringField, TextAreaField, URLField
from wtforms.validators import InputRequired

from catalogue.openapi_documents.reader import MAX_DOCUMENT_BYTES, read_openapi
from catalogue.ports import agency_name
from catalogue.services import actions, queries
from catalogue.services.rules import (
    KIND_LABELS,
    OBLIGATION_LABELS,
    STATUS_LABELS,
    Obligation,
    ServiceFacts,
    Transition,
    VersionFacts,
    is_possible,
)
from kernel.base.errors import Conflict, Invalid
from kernel.base.installation import settings
from kernel.http.application import AnyRequest
from kernel.jobs.access import authority, current_principal, official, public, requires, role
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once

pages = Blueprint("services", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]
PUBLISHERS = role("publisher", "administrator")
STATUS_KINDS = {"draft": "neutral", "submitted": "waiting", "returned": "attention", "published": "ok"}
NEEDED = _("This is required.")


class FactsForm(Form):
    name = StringField(
        _("Name"),
        validators=[InputRequired(NEEDED)],
        description=_("Use the words that people would search for, without acronyms."),
    )
    description = TextAreaField(
        _("What it does"),
        validators=[InputRequired(NEEDED)],
        description=_("What it is for, who it is for, and what they get. People find the service by these words."),
    )
    kind = SelectField(_("Kind"), validators=[InputRequired()], choices=list(KIND_LABELS.items()))
    obligation = SelectField(
        _("Who must use it"),
        validators=[InputRequired()],
        choices=list(OBLIGATION_LABELS.items()),
        default=str(Obligation.OPTIONAL),
    )
    contact = EmailField(
        _("E-mail address of the team that answers"),
        validators=[InputRequired(NEEDED)],
        description=_("Everyone can see it. Give a shared mailbox, not a person's."),
    )

    def service_facts(self) -> ServiceFacts:
        """Raises Invalid."""
        return ServiceFacts.checked(
            name=self.name.data or "",
            description=self.description.data or "",
            kind=self.kind.data or "",
            contact=self.contact.data or "",
            obligation=self.obligation.data or "",
        )


class VersionForm(Form):
    version = StringField(
        _("Version"), validators=[InputRequired(NEEDED)], default="v1", description=_("For example v1 or v2.")
    )
    base_url = URLField(
        _("Address of the provider's system"),
        description=_(
            "Where your system answers, such as https://api.agencia.cl/v1. Consumers reach it through the gateway."
        ),
    )
    openapi = FileField(
        _("OpenAPI document"), description=_("OpenAPI 3 or Swagger 2.0, in JSON or YAML, at most 1 MB, in one file.")
    )

    def version_facts(self) -> VersionFacts:
        """Raises Invalid."""
        upload = self.openapi.data
        is_chosen = isinstance(upload, FileStorage) and upload.filename
        document = read_openapi(upload.read(MAX_DOCUMENT_BYTES + 1)) if is_chosen else None
        return queries.prepare_version(self.version.data or "", self.base_url.data or "", document)


class DraftForm(FactsForm, VersionForm):
    """A new service: its facts and its first version."""

    def checked(self) -> tuple[ServiceFacts, VersionFacts]:
        """Raises Invalid with what is wrong in either half."""
        try:
            facts = self.service_facts()
        except Invalid as invalid:
            wrong = invalid.fields
            try:
                self.version_facts()
            except Invalid as also:
                wrong |= also.fields
            raise Invalid(fields=wrong) from invalid
        return facts, self.version_facts()


class DecisionForm(Form):
    reasons = TextAreaField(
        _("Reasons"),
        validators=[InputRequired(NEEDED)],
        description=_("What has to be corrected. The agency will read it exactly as you write it."),
    )
    seen = HiddenField()


@pages.url_value_preprocessor
def keep_what_was_typed(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A document that is far too large is told beside its field; the form is read before the view, for its token."""
    cast(AnyRequest, request).keep_form(MAX_DOCUMENT_BYTES)


@pages.context_processor
def names() -> dict[str, object]:
    return {
        "agency_name": agency_name,
        "kind_labels": KIND_LABELS,
        "obligation_labels": OBLIGATION_LABELS,
        "status_labels": STATUS_LABELS,
        "status_kinds": STATUS_KINDS,
    }


# ---- everyone ----


@pages.get("/catalogue")
@public("the catalogue is public")
def catalogue() -> Page:
    words, kind, owner = (request.args.get(name, "") for name in ("q", "kind", "owner"))
    page = queries.search(words, kind=kind, owner=owner, cursor=request.args.get("cursor"))
    owners = [(code, agency_name(code)) for code in queries.owners()]
    return render_template("services/catalogue.html", page=page, q=words, kind=kind, owner=owner, owners=owners)


@pages.get("/catalogue/<code>")
@public("the catalogue is public")
def show(code: str) -> Page:
    reader = current_principal()
    service = queries.find(code, reader)
    return render_template(
        "services/show.html",
        service=service,
        versions=queries.visible_versions(service, reader)[::-1],
        gateway=f"{settings().base_url}/gateway/{service.code}",
        is_own=reader.agency is not None and reader.agency.code == service.owner,
        may_ask=reader.kind == "official" and PUBLISHERS.allows(reader),
    )


# ---- the agency that offers ----


@pages.get("/agency/services")
@requires(official)
def own_services() -> Page:
    agency = current_principal().acting_agency
    page = queries.of_agency(agency.code, cursor=request.args.get("cursor"))
    return render_template(
        "services/own.html", page=page, agency=agency, may_edit=PUBLISHERS.allows(current_principal())
    )


@pages.get("/agency/services/<code>")
@requires(official)
def own_service(code: str) -> Page:
    service = queries.own(code, current_principal())
    return render_template(
        "services/own_service.html",
        service=service,
        gateway=f"{settings().base_url}/gateway/{service.code}",
        may_edit=PUBLISHERS.allows(current_principal()),
        can={
            step: [v.version for v in service.versions if is_possible(v.status, step)]
            for step in (Transition.EDIT, Transition.SUBMIT)
        },
    )


@pages.route("/agency/services/new", methods=["GET", "POST"])
@requires(PUBLISHERS)
@once()
def new() -> Page:
    form = DraftForm()
    if form.is_submitted():
        is_filled_in = form.validate()
        try:
            described = form.checked()
            if is_filled_in:
                service = submit_once(
                    lambda: actions.draft_service(current_principal(), *described),
                    lambda made: url_for("services.own_service", code=made.code),
                )
                flash(_("The draft has been saved. Send it for approval when it is complete."), "success")
                return redirect(url_for("services.own_service", code=service.code), 303)
        except (Invalid, Conflict) as problem:
            explain(form, problem)
    return _form("services/new.html", form)


@pages.route("/agency/services/<code>/edit", methods=["GET", "POST"])
@requires(PUBLISHERS)
def edit(code: str) -> Page:
    service = queries.own(code, current_principal())
    form = FactsForm(obj=service)
    if form.validate_on_submit():
        try:
            actions.edit_service(current_principal(), code, form.service_facts())
            flash(_("The description has been changed."), "success")
            return redirect(url_for("services.own_service", code=code), 303)
        except (Invalid, Conflict) as problem:
            explain(form, problem)
    return _form("services/edit.html", form, service=service)


@pages.route("/agency/services/<code>/versions/new", methods=["GET", "POST"])
@requires(PUBLISHERS)
@once()
def new_version(code: str) -> Page:
    service = queries.own(code, current_principal())
    form = VersionForm(version=f"v{len(service.versions) + 1}")
    if form.validate_on_submit():
        try:
            facts, address = form.version_facts(), url_for("services.own_service", code=code)
            submit_once(lambda: actions.new_version(current_principal(), code, facts), lambda _: address)
            flash(_("The draft has been saved. Send it for approval when it is complete."), "success")
            return redirect(url_for("services.own_service", code=code), 303)
        except (Invalid, Conflict) as problem:
            explain(form, problem)
    return _form("services/new_version.html", form, service=service)


@pages.route("/agency/services/<code>/versions/<version>/edit", methods=["GET", "POST"])
@requires(PUBLISHERS)
def edit_version(code: str, version: str) -> Page:
    own = queries.own_version(code, version, current_principal())
    form = VersionForm(version=own.version, base_url=own.base_url)
    if form.validate_on_submit():
        try:
            actions.edit_version(current_principal(), code, version, form.version_facts())
            flash(_("The version has been changed."), "success")
            return redirect(url_for("services.own_service", code=code), 303)
        except (Invalid, Conflict) as problem:
            explain(form, problem)
    return _form("services/edit_version.html", form, service=own.service, version=own)


@pages.post("/agency/services/<code>/versions/<version>/submit")
@requires(PUBLISHERS)
@once()
def submit(code: str, version: str) -> Page:
    try:
        address = url_for("services.own_service", code=code)
        submit_once(lambda: actions.submit_version(current_principal(), code, version), lambda _: address)
        flash(_("Sent to the authority for approval."), "success")
    except Invalid as incomplete:
        for message in (one for messages in incomplete.fields.values() for one in messages):
            flash(message, "problem")
        return redirect(url_for("services.edit_version", code=code, version=version), 303)
    return redirect(url_for("services.own_service", code=code), 303)


# ---- the authority ----


@pages.get("/authority/services")
@requires(authority)
def queue() -> Page:
    page = queries.to_review(cursor=request.args.get("cursor"))
    return render_template("services/queue.html", page=page, decided=queries.decisions())


@pages.get("/authority/services/<code>/<version>")
@requires(authority)
def review(code: str, version: str) -> Page:
    return _review(code, version, DecisionForm())


@pages.post("/authority/services/<code>/<version>/approve")
@requires(authority)
@once()
def approve(code: str, version: str) -> Page:
    seen, address = DecisionForm().seen.data or "", url_for("services.queue")
    submit_once(lambda: actions.approve_version(current_principal(), code, version, seen), lambda _: address)
    flash(_("Published: anyone can find it now."), "success")
    return redirect(url_for("services.queue"), 303)


@pages.post("/authority/services/<code>/<version>/return")
@requires(authority)
@once()
def give_back(code: str, version: str) -> Page:
    form = DecisionForm()
    try:
        submit_once(
            lambda: actions.return_version(
                current_principal(), code, version, form.reasons.data or "", form.seen.data or ""
            ),
            lambda _: url_for("services.queue"),
        )
    except Invalid as invalid:
        explain(form, invalid)
        return _review(code, version, form)
    flash(_("Returned to the agency with your reasons."), "success")
    return redirect(url_for("services.queue"), 303)


def _review(code: str, version: str, form: DecisionForm) -> Page:
    reviewed = queries.version_to_review(code, version)
    form.seen.data = reviewed.submitted_at.isoformat() if reviewed.submitted_at else ""
    waits = is_possible(reviewed.status, Transition.APPROVE)
    page = render_template("services/review.html", version=reviewed, service=reviewed.service, form=form, waits=waits)
    return (page, 422) if form.errors else page


def _form(template: str, form: Form, **context: object) -> Page:
    page = render_template(template, form=form, **context)
    return (page, 422) if form.errors else page
