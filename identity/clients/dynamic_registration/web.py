"""Pages: which programs of an agency may register applications."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import IntegerField, RadioField, StringField
from wtforms.validators import InputRequired

from identity.clients.dynamic_registration import actions
from identity.clients.dynamic_registration.queries import tokens_of
from identity.clients.registry.web import ENVIRONMENTS, administrator, owner
from kernel.base.errors import Invalid
from kernel.jobs.access import requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

pages = Blueprint("dynamic_registration", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]


class TokenForm(Form):
    purpose = StringField(_("What it is for"), validators=[InputRequired(_("Write what it is for."))])
    environment = RadioField(_("Stage"), choices=list(ENVIRONMENTS.items()), default="sandbox")
    uses = IntegerField(_("How many applications"), default=1)
    days = IntegerField(_("For how many days"), default=30)


@pages.get("/agency/registration-tokens")
@requires(administrator)
def tokens() -> Page:
    """The initial access tokens of the agency."""
    return _tokens(TokenForm())


@pages.post("/agency/registration-tokens")
@requires(administrator)
@once(SECRET_SHOWN)
def create_token() -> Page:
    """Make a token and show it, this once."""
    form = TokenForm()
    if not form.validate_on_submit():
        return _tokens(form), 422
    try:
        made = submit_once(
            lambda: actions.create_initial_token(
                owner(),
                form.environment.data,
                form.purpose.data,
                uses=form.uses.data or 0,
                days=form.days.data or 0,
            ),
            lambda _: url_for("dynamic_registration.tokens"),
        )
    except Invalid as problem:
        explain(form, problem)
        return _tokens(form), 422
    return _tokens(form, made.token), 201


@pages.post("/agency/registration-tokens/<uuid:token_id>/revoke")
@requires(administrator)
def revoke_token(token_id: UUID) -> Page:
    actions.revoke_initial_token(token_id, owner())
    flash(_("It has been revoked. Nothing more can be registered with it."), "success")
    return redirect(url_for("dynamic_registration.tokens"), 303)


def _tokens(form: TokenForm, token: str | None = None) -> str:
    return render_template(
        "dynamic_registration/tokens.html", tokens=tokens_of(owner()), form=form, token=token, environments=ENVIRONMENTS
    )
