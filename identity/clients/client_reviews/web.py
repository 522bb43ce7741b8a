"""Pages: an agency asks the authority, and the authority decides."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.validators import InputRequired

from identity.clients.client_reviews import actions
from identity.clients.client_reviews.queries import get_pending, pending_reviews
from identity.clients.client_reviews.rules import AlreadyAsked, ChangedMeanwhile
from identity.clients.registry.queries import application_of, owner_of
from identity.clients.registry.queries import applications_of_everyone as everyones
from identity.clients.registry.web import (
    ENVIRONMENTS,
    FIELDS,
    METHODS,
    OPTIONS,
    PROFILES,
    SCOPES,
    SECTORS,
    administrator,
    owner,
)
from kernel.base.errors import Invalid
from kernel.jobs.access import authority, requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once

pages = Blueprint("client_reviews", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]


STAGES = {
    "certification": _("Certification: still with test persons, at its own addresses"),
    "production": _("In use: everybody signs in to it"),
}


class AskForm(Form):
    environment = RadioField(_("Stage"), choices=list(STAGES.items()), default="production")


class ApproveForm(Form):
    seen = HiddenField()


class RemarkForm(Form):
    remark = TextAreaField(_("What is missing"), validators=[InputRequired(_("Say what is missing."))])


@pages.get("/authority/applications/all")
@requires(authority)
def everyones_applications() -> Page:
    """Every application, whoever's it is, with where it stands."""
    return render_template(
        "client_reviews/everyones.html",
        page=everyones(request.args.get("cursor")),
        owner_of=owner_of,
        profiles=PROFILES,
    )


# ---- an agency's administrator ----


@pages.get("/agency/applications/<client_id>/environment")
@requires(administrator)
def ask(client_id: str) -> Page:
    return _ask(client_id, AskForm())


@pages.post("/agency/applications/<client_id>/environment")
@requires(administrator)
@once()
def send_request(client_id: str) -> Page:
    """Ask the authority to let the application go on."""
    form = AskForm()
    if not form.validate_on_submit():
        return _ask(client_id, form), 422
    try:
        submit_once(
            lambda: actions.ask_for_environment(client_id, form.environment.data, owner=owner()),
            lambda _: url_for("applications.show", client_id=client_id),
        )
    except (Invalid, AlreadyAsked) as problem:
        explain(form, problem)
        return _ask(client_id, form), 422
    flash(_("The authority has it now. The answer will come here and by e-mail."), "success")
    return redirect(url_for("applications.show", client_id=client_id), 303)


@pages.post("/agency/applications/<client_id>/request/withdraw")
@requires(administrator)
def withdraw(client_id: str) -> Page:
    actions.withdraw_request(client_id, owner=owner())
    flash(_("The request was withdrawn."), "success")
    return redirect(url_for("applications.show", client_id=client_id), 303)


def _ask(client_id: str, form: AskForm) -> str:
    client = application_of(owner(), client_id)
    form.environment.choices = [(name, text) for name, text in STAGES.items() if name != client.environment]
    return render_template("client_reviews/ask.html", client=client, form=form)


# ---- the authority ----


@pages.get("/authority/applications")
@requires(authority)
def waiting() -> Page:
    """The applications that ask to leave the sandbox, and the changes of those in use."""
    return render_template(
        "client_reviews/waiting.html", waiting=pending_reviews(), environments=ENVIRONMENTS, owner_of=owner_of
    )


@pages.get("/authority/applications/<client_id>")
@requires(authority)
def review(client_id: str) -> Page:
    """One of them: who asks, for what, and why."""
    return _review(client_id, RemarkForm())


@pages.post("/authority/applications/<client_id>/approve")
@requires(authority)
@once()
def approve(client_id: str) -> Page:
    try:
        client = submit_once(
            lambda: actions.approve(client_id, ApproveForm().seen.data or ""),
            lambda _: url_for("client_reviews.waiting"),
        )
    except (Invalid, AlreadyAsked, ChangedMeanwhile) as problem:
        form = RemarkForm(formdata=None)
        explain(form, problem)
        return _review(client_id, form), 422
    flash(_("%(name)s can go on to the next stage.", name=client.name), "success")
    return redirect(url_for("client_reviews.waiting"), 303)


@pages.post("/authority/applications/<client_id>/return")
@requires(authority)
@once()
def give_back(client_id: str) -> Page:
    form = RemarkForm()
    if not form.validate_on_submit():
        return _review(client_id, form), 422
    try:
        submit_once(lambda: actions.give_back(client_id, form.remark.data), lambda _: url_for("client_reviews.waiting"))
    except Invalid as problem:
        explain(form, problem)
        return _review(client_id, form), 422
    flash(_("It was returned, with your comment."), "success")
    return redirect(url_for("client_reviews.waiting"), 303)


def _review(client_id: str, form: RemarkForm) -> str:
    review = get_pending(client_id)
    return render_template(
        "client_reviews/review.html",
        review=review,
        client=review.client,
        proposed=review.proposed,
        owned_by=owner_of(review.client),
        form=form,
        approval=ApproveForm(formdata=None, seen=review.fingerprint),
        environments=ENVIRONMENTS,
        profiles=PROFILES,
        methods=METHODS,
        scope_labels=SCOPES,
        sectors=SECTORS,
        fields=FIELDS,
        options=OPTIONS,
    )
