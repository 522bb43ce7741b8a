"""Pages: how an application leaves the sandbox, who decides it, and which programs may register applications."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired

from identity.clients.queries import client_of_agency
from identity.clients.rules import owned_by_agency
from identity.clients.web import ENVIRONMENTS, PROFILES, SCOPES, administrator
from identity.registration import actions
from identity.registration.queries import tokens_of, waiting_for_decision, waiting_request
from identity.registration.rules import AlreadyAsked
from kernel.access import authority, current_principal, requires
from kernel.errors import Invalid
from kernel.forms import explain

pages = Blueprint("registration", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]
ASKED_FOR = [(name, ENVIRONMENTS[name]) for name in ("certification", "production")]


class AskForm(FlaskForm):
    environment = RadioField(_("Stage"), choices=ASKED_FOR, default="production")


class TokenForm(FlaskForm):
    purpose = StringField(_("What for"), validators=[InputRequired(_("Write what it is for."))])
    environment = RadioField(_("Stage"), choices=list(ENVIRONMENTS.items()), default="sandbox")
    uses = IntegerField(_("How many applications"), default=1)
    days = IntegerField(_("For how many days"), default=30)


class ApproveForm(FlaskForm):
    has_public_subjects = BooleanField(
        _("It knows people by the identifier that all such applications share"),
        description=_("Otherwise its owner's applications have one of their own, which says nothing to others."),
    )


class RemarkForm(FlaskForm):
    remark = TextAreaField(_("What is missing"), validators=[InputRequired(_("Say what is missing."))])


def _owner() -> str:
    return owned_by_agency(current_principal().acting_agency.code)


# ---- an agency's administrator ----


@pages.get("/agency/applications/<client_id>/environment")
@requires(administrator)
def ask(client_id: str) -> Page:
    return _ask(client_id, AskForm())


@pages.post("/agency/applications/<client_id>/environment")
@requires(administrator)
def send_request(client_id: str) -> Page:
    """Ask the authority to let the application go on."""
    form = AskForm()
    if not form.validate_on_submit():
        return _ask(client_id, form), 422
    try:
        actions.ask_for_environment(client_id, form.environment.data, _owner())
    except (Invalid, AlreadyAsked) as problem:
        explain(form, problem)
        return _ask(client_id, form), 422
    flash(_("The authority has it now. The answer comes here and by e-mail."), "success")
    return redirect(url_for("clients.show", kind="applications", client_id=client_id), 303)


def _ask(client_id: str, form: AskForm) -> str:
    client = client_of_agency(current_principal().acting_agency.code, client_id)
    return render_template("registration/ask.html", client=client, form=form)


@pages.get("/agency/registration-tokens")
@requires(administrator)
def tokens() -> Page:
    """The initial access tokens of the agency."""
    return _tokens(TokenForm())


@pages.post("/agency/registration-tokens")
@requires(administrator)
def create_token() -> Page:
    """Make a token and show it, this once."""
    form = TokenForm()
    if not form.validate_on_submit():
        return _tokens(form), 422
    try:
        made = actions.create_initial_token(
            _owner(),
            form.environment.data,
            form.purpose.data,
            uses=form.uses.data or 0,
            days=form.days.data or 0,
        )
    except Invalid as problem:
        explain(form, problem)
        return _tokens(form), 422
    return _tokens(form, made.token), 201


@pages.post("/agency/registration-tokens/<uuid:token_id>/revoke")
@requires(administrator)
def revoke_token(token_id: UUID) -> Page:
    actions.revoke_initial_token(token_id, _owner())
    flash(_("It is revoked. Nothing more can be registered with it."), "success")
    return redirect(url_for("registration.tokens"), 303)


def _tokens(form: TokenForm, token: str | None = None) -> str:
    return render_template(
        "registration/tokens.html", tokens=tokens_of(_owner()), form=form, token=token, environments=ENVIRONMENTS
    )


# ---- the authority ----


@pages.get("/authority/applications")
@requires(authority)
def waiting() -> Page:
    """The applications that ask to leave the sandbox."""
    return render_template("registration/waiting.html", waiting=waiting_for_decision(), environments=ENVIRONMENTS)


@pages.get("/authority/applications/<client_id>")
@requires(authority)
def review(client_id: str) -> Page:
    """One of them: who asks, for what, and why."""
    return _review(client_id, RemarkForm())


@pages.post("/authority/applications/<client_id>/approve")
@requires(authority)
def approve(client_id: str) -> Page:
    try:
        client = actions.approve(client_id, has_public_subjects=bool(ApproveForm().has_public_subjects.data))
    except (Invalid, AlreadyAsked) as problem:
        form = RemarkForm(formdata=None)
        explain(form, problem)
        return _review(client_id, form), 422
    flash(_("%(name)s may go on.", name=client.name), "success")
    return redirect(url_for("registration.waiting"), 303)


@pages.post("/authority/applications/<client_id>/return")
@requires(authority)
def give_back(client_id: str) -> Page:
    form = RemarkForm()
    if not form.validate_on_submit():
        return _review(client_id, form), 422
    try:
        actions.give_back(client_id, form.remark.data)
    except Invalid as problem:
        explain(form, problem)
        return _review(client_id, form), 422
    flash(_("It was given back, with your remark."), "success")
    return redirect(url_for("registration.waiting"), 303)


def _review(client_id: str, form: RemarkForm) -> str:
    found = waiting_request(client_id)
    return render_template(
        "registration/review.html",
        client=found.client,
        asked=found.request,
        form=form,
        approval=ApproveForm(formdata=None),
        environments=ENVIRONMENTS,
        profiles=PROFILES,
        scope_labels=SCOPES,
    )
