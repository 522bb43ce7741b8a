"""Pages for who may call whom on behalf of people: an agency's administrator asks, decides and ends; the authority
sees it all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from identity.clients.registry.web import administrator, owner
from identity.clients.token_exchange_policies import actions, queries
from identity.clients.token_exchange_policies.rules import AlreadyAsked, Status, Transition, Wish
from kernel.base.errors import Invalid, NotFound
from kernel.jobs.access import authority, current_principal, requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once

if TYPE_CHECKING:
    from identity.clients.token_exchange_policies.queries import PolicyView

pages = Blueprint("token_exchange_policies", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]

SCOPES = {
    "run": _("the RUN"),
    "name": _("the names, as ClaveÚnica gives them"),
    "profile": _("the names, as OpenID Connect gives them"),
    "email": _("the e-mail address"),
}
STATUSES = {
    Status.ASKED: (_("Waiting for an answer"), "waiting"),
    Status.ALLOWED: (_("Allowed"), "ok"),
    Status.REFUSED: (_("Refused"), "problem"),
    Status.ENDED: (_("Ended"), "neutral"),
}
DONE = {
    Transition.ALLOW: _("The other agency's client may call yours from now on."),
    Transition.REFUSE: _("You refused the request."),
    Transition.END: _("It has ended. No more tokens are issued."),
}


def scopes_field() -> Any:
    """A field of the scopes that an exchanged token may have, to be ticked; the rules check it."""
    return SelectMultipleField(
        _("What it may share there about a person"),
        choices=[SelectChoice(scope, label) for scope, label in SCOPES.items()],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validators=[InputRequired(_("Choose at least one."))],
        validate_choice=False,
    )


class AskForm(Form):
    actor = SelectField(_("Which of your clients calls"), validators=[InputRequired(_("Choose one."))])
    target = StringField(
        _("Identifier of the client that it calls"),
        validators=[InputRequired(_("Write the identifier."))],
        description=_("Its client_id. The agency that offers the service tells you."),
    )
    scopes = scopes_field()
    purpose = TextAreaField(
        _("What it is for"),
        validators=[InputRequired(_("Write what it is for."))],
        description=_("The other agency reads it to decide."),
    )


class TransitionForm(Form):
    reasons = TextAreaField(
        _("Reasons"), description=_("The other agency will read them. They are required to refuse.")
    )


@pages.context_processor
def names() -> dict[str, object]:
    return {"scope_names": SCOPES, "exchange_statuses": STATUSES}


@pages.get("/agency/exchanges")
@requires(administrator)
def own() -> Page:
    agency = current_principal().acting_agency
    return render_template(
        "token_exchange_policies/own.html", agency=agency, owner=owner(), views=queries.of_owner(owner())
    )


@pages.route("/agency/exchanges/new", methods=["GET", "POST"])
@requires(administrator)
@once()
def ask() -> Page:
    form = AskForm()
    clients = queries.own_clients(owner())
    form.actor.choices = [SelectChoice(one.client_id, f"{one.name} ({one.client_id})") for one in clients]
    if form.validate_on_submit():
        try:
            wish = Wish.checked(form.scopes.data or [], form.purpose.data or "")
            policy = submit_once(
                lambda: actions.ask_exchange(owner(), form.actor.data, form.target.data or "", wish),
                lambda made: url_for("token_exchange_policies.show", policy_id=made.id),
            )
            return redirect(url_for("token_exchange_policies.show", policy_id=policy.id), 303)
        except (Invalid, AlreadyAsked) as problem:
            explain(form, problem)
    page = render_template("token_exchange_policies/ask.html", form=form, clients=clients)
    return (page, 422) if form.errors else page


@pages.get("/agency/exchanges/<uuid:policy_id>")
@requires(administrator)
def show(policy_id: UUID) -> Page:
    return _show(queries.find(policy_id, owner()), TransitionForm(formdata=None))


@pages.post("/agency/exchanges/<uuid:policy_id>")
@requires(administrator)
@once()
def transition(policy_id: UUID) -> Page:
    """Allow, refuse or end, as the button pressed says."""
    form = TransitionForm()
    if request.form.get("step") not in set(Transition):
        raise NotFound(log="no such step")
    step = Transition(request.form["step"])
    try:
        submit_once(
            lambda: actions.transition(owner(), policy_id, step, form.reasons.data or ""),
            lambda _: url_for("token_exchange_policies.show", policy_id=policy_id),
        )
    except Invalid as invalid:
        explain(form, invalid)
        return _show(queries.find(policy_id, owner()), form), 422
    flash(DONE[step], "success")
    return redirect(url_for("token_exchange_policies.show", policy_id=policy_id), 303)


def _show(view: PolicyView, form: TransitionForm) -> str:
    steps = view.transitions_for(owner())
    return render_template("token_exchange_policies/show.html", view=view, steps=steps, form=form)


@pages.get("/authority/exchanges")
@requires(authority)
def everyones() -> Page:
    return render_template("token_exchange_policies/everyones.html", page=queries.everyones(request.args.get("cursor")))
