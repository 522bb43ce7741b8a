"""A developer's pages: which of their applications may call which other one on behalf of people."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from identity.clients.token_exchange_policies import actions, queries
from identity.clients.token_exchange_policies.rules import Transition, Wish
from identity.clients.token_exchange_policies.web import SCOPES, STATUSES, scopes_field
from kernel.base.errors import Invalid
from kernel.base.parties import Party
from kernel.http.rate_limit import limiter
from kernel.jobs.access import current_principal, requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once
from sandbox.accounts.web import developer

pages = Blueprint("sandbox_exchanges", __name__, url_prefix="/sandbox/exchanges", template_folder="templates")
Page = str | Response | tuple[str, int]


class AllowForm(Form):
    actor = SelectField(_("Which application calls"), validators=[InputRequired(_("Choose one."))])
    target = SelectField(_("Which application it calls"), validators=[InputRequired(_("Choose one."))])
    scopes = scopes_field()


@pages.get("")
@requires(developer)
def list_exchanges() -> Page:
    """List the calls that the developer allowed, and those that have ended."""
    exchanges = queries.of_owner(_owner())
    return render_template(
        "sandbox_exchanges/list.html", exchanges=exchanges, scope_names=SCOPES, exchange_statuses=STATUSES
    )


@pages.get("/new")
@requires(developer)
def ask() -> Page:
    return _ask(AllowForm())


@pages.post("/new")
@limiter.limit("60 per hour")
@requires(developer)
@once()
def allow() -> Page:
    """Let one application call another; both are the developer's, so nobody else has to agree."""
    form = AllowForm()
    _offer_own(form)
    if not form.validate_on_submit():
        return _ask(form), 422
    try:
        wish = Wish.between_own(form.scopes.data or ())
        submit_once(
            lambda: actions.ask_exchange(_owner(), form.actor.data, form.target.data, wish),
            lambda _: url_for("sandbox_exchanges.list_exchanges"),
        )
    except Invalid as problem:
        explain(form, problem)
        return _ask(form), 422
    flash(_("It may call the other one from now on."), "success")
    return redirect(url_for("sandbox_exchanges.list_exchanges"), 303)


@pages.post("/<uuid:policy_id>/end")
@requires(developer)
def end(policy_id: UUID) -> Page:
    actions.transition(_owner(), policy_id, Transition.END)
    flash(_("It has ended. No more tokens are issued."), "success")
    return redirect(url_for("sandbox_exchanges.list_exchanges"), 303)


def _ask(form: AllowForm) -> str:
    _offer_own(form)
    return render_template("sandbox_exchanges/new.html", form=form)


def _offer_own(form: AllowForm) -> None:
    choices = [SelectChoice(one.client_id, f"{one.name} ({one.client_id})") for one in queries.own_clients(_owner())]
    form.actor.choices = form.target.choices = choices


def _owner() -> Party:
    return Party.developer(current_principal().id)
