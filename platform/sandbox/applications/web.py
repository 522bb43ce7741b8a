"""A developer's applications: create one, copy its settings, try it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from identity.clients.ownership_transfers.queries import completed_by, last_offer_of
from identity.clients.ownership_transfers.rules import AlreadyOffered
from identity.clients.profiles.rules import PROFILES
from identity.clients.registry.queries import known_client
from identity.clients.registry.web import PROFILES as PROFILE_NAMES
from identity.clients.registry.web import IdTokenForm, id_token_choices_of
from identity.openid.endpoints.userinfo import userinfo_claims
from identity.openid.tokens.token_queries import holder_of_code
from kernel.base.errors import Invalid
from kernel.base.ids import new_token, same
from kernel.base.installation import settings
from kernel.http.rate_limit import limiter
from kernel.jobs.access import current_principal, requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once
from sandbox.accounts.web import developer
from sandbox.applications import actions, queries
from sandbox.applications.rules import (
    SECRET_PLACEHOLDER,
    Endpoints,
    Trial,
    lines_of,
    own_addresses,
    snippets_for,
    trial_address,
)

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

TRIAL = "sandbox_trial"

pages = Blueprint("sandbox_applications", __name__, url_prefix="/sandbox", template_folder="templates")
Page = str | Response | tuple[str, int]


class ChangeForm(IdTokenForm):
    name = StringField(
        _("Name"),
        validators=[DataRequired(_("Write a name.")), Length(max=100)],
        description=_("People read it when they sign in."),
    )
    redirect_uris = TextAreaField(
        _("Addresses to return to"),
        validators=[DataRequired(_("Write at least one address."))],
        description=_("One per line, exactly as your program sends it (redirect_uri). http is accepted on localhost."),
        default="http://localhost:5000/callback",
    )
    post_logout_redirect_uris = TextAreaField(
        _("Addresses to return to after signing out"), description=_("One per line (post_logout_redirect_uri).")
    )
    device_flow = BooleanField(
        _("It also runs on devices without a browser"),
        description=_(
            "For televisions, kiosks and command lines. It shows a code, and people authorise it from "
            "their phone or computer (RFC 8628). Only with the standard profile. Leave this unticked "
            "unless you need it."
        ),
    )

    def choices(self) -> dict[str, Any]:
        """The form's choices, as the client's options name them."""
        return {"device_flow": self.device_flow.data, **self.id_token_options()}


class ApplicationForm(ChangeForm):
    profile = RadioField(
        _("Profile"),
        choices=[
            ("standard", _("Standard: OpenID Connect with PKCE. Choose this for anything new")),
            ("clave-unica", _("ClaveÚnica-compatible: for programs that already use it")),
            ("fapi2", PROFILE_NAMES["fapi2"]),
        ],
        default="standard",
        validators=[DataRequired(_("Choose one."))],
    )
    auth_method = RadioField(
        _("Where it runs"),
        choices=[
            ("client_secret", _("On a server, where its secret stays secret")),
            ("none", _("In the browser or on a phone: it gets no secret, and its pages can call us directly")),
        ],
        default="client_secret",
        validate_choice=False,
        description=_("Without a secret, the profile must be the standard one."),
    )


class TransferForm(Form):
    agency = StringField(
        _("Agency code"),
        validators=[DataRequired(_("Write its code.")), Length(max=20)],
        description=_("For example AE001. The people you work with there know it."),
    )
    reason = TextAreaField(
        _("What the application is for"),
        validators=[DataRequired(_("Say what it is for."))],
        description=_("The agency's administrators read it. 10 to 500 characters."),
    )


@pages.get("/applications")
@requires(developer)
def list_applications() -> Page:
    return render_template(
        "sandbox_applications/list.html",
        applications=queries.applications_of(current_principal().id),
        handed_over=completed_by(current_principal().name),
    )


@pages.get("/applications/new")
@requires(developer)
def new_application() -> Page:
    return render_template("sandbox_applications/new.html", form=ApplicationForm())


@pages.post("/applications/new")
@limiter.limit("60 per hour")
@requires(developer)
@once(SECRET_SHOWN)
def create_application() -> Page:
    form = ApplicationForm()
    if not form.validate_on_submit():
        return render_template("sandbox_applications/new.html", form=form), 422
    try:
        made = submit_once(
            lambda: actions.create_application(
                current_principal().id,
                form.name.data,
                form.profile.data,
                lines_of(form.redirect_uris.data),
                lines_of(form.post_logout_redirect_uris.data or ""),
                form.choices(),
                auth_method=form.auth_method.data or None,
            ),
            lambda made: _address(made.client.client_id),
        )
    except Invalid as problem:
        _show_faults(form, problem)
        return render_template("sandbox_applications/new.html", form=form), 422
    # The secret exists in this answer only, so the page is not one to come back to.
    return _application_page(made.client, made.secret), 201


@pages.get("/applications/<client_id>")
@requires(developer)
def show_application(client_id: str) -> Page:
    return _application_page(queries.get_application(current_principal().id, client_id))


@pages.get("/applications/<client_id>/edit")
@requires(developer)
def edit_application(client_id: str) -> Page:
    client = queries.get_application(current_principal().id, client_id)
    form = ChangeForm(
        name=client.name,
        device_flow=bool(client.options.get("device_flow")),
        **id_token_choices_of(client),
        redirect_uris="\n".join(own_addresses(client.redirect_uris, settings().base_url)),
        post_logout_redirect_uris="\n".join(client.post_logout_redirect_uris),
    )
    return _ask_change(client, form)


@pages.post("/applications/<client_id>/edit")
@requires(developer)
def change_application(client_id: str) -> Page:
    client = queries.get_application(current_principal().id, client_id)
    form = ChangeForm()
    if not form.validate_on_submit():
        return _ask_change(client, form), 422
    try:
        actions.change_application(
            current_principal().id,
            client_id,
            form.name.data,
            lines_of(form.redirect_uris.data),
            lines_of(form.post_logout_redirect_uris.data or ""),
            form.choices(),
        )
    except Invalid as problem:
        _show_faults(form, problem)
        return _ask_change(client, form), 422
    return redirect(url_for("sandbox_applications.show_application", client_id=client_id), 303)


def _ask_change(client: Client, form: ChangeForm) -> str:
    return render_template(
        "sandbox_applications/edit.html",
        form=form,
        application=client,
        profile=PROFILES[client.profile],
    )


@pages.get("/applications/<client_id>/adoption")
@requires(developer)
def ask_agency(client_id: str) -> Page:
    """Ask an agency to take the application over, so that it may leave the sandbox."""
    return _ask_agency(client_id, TransferForm())


@pages.post("/applications/<client_id>/adoption")
@limiter.limit("20 per hour")
@requires(developer)
@once()
def offer_to_agency(client_id: str) -> Page:
    form = TransferForm()
    if not form.validate_on_submit():
        return _ask_agency(client_id, form), 422
    try:
        submit_once(
            lambda: actions.offer_to_agency(current_principal(), client_id, form.agency.data, form.reason.data),
            lambda _: _address(client_id),
        )
    except (Invalid, AlreadyOffered) as problem:
        explain(form, problem)
        return _ask_agency(client_id, form), 422
    flash(_("The agency has been asked. Its answer will come by e-mail."), "success")
    return redirect(url_for("sandbox_applications.show_application", client_id=client_id), 303)


@pages.post("/applications/<client_id>/adoption/withdraw")
@requires(developer)
def take_offer_back(client_id: str) -> Page:
    actions.take_offer_back(current_principal().id, client_id)
    flash(_("The offer was withdrawn."), "success")
    return redirect(url_for("sandbox_applications.show_application", client_id=client_id), 303)


def _ask_agency(client_id: str, form: TransferForm) -> str:
    client = queries.get_application(current_principal().id, client_id)
    return render_template("sandbox_applications/offer.html", application=client, form=form)


@pages.post("/applications/<client_id>/secret")
@limiter.limit("60 per hour")
@requires(developer)
@once(SECRET_SHOWN)
def renew_secret(client_id: str) -> Page:
    renewed = submit_once(
        lambda: actions.renew_secret(current_principal().id, client_id), lambda _: _address(client_id)
    )
    return _application_page(renewed.client, renewed.secret, is_renewed=True)


@pages.get("/applications/<client_id>/delete")
@requires(developer)
def ask_to_delete(client_id: str) -> Page:
    client = queries.get_application(current_principal().id, client_id)
    return render_template("sandbox_applications/delete.html", application=client)


@pages.post("/applications/<client_id>/delete")
@requires(developer)
def delete_application(client_id: str) -> Page:
    actions.delete_application(current_principal().id, client_id)
    return redirect(url_for("sandbox_applications.list_applications"), 303)


@pages.get("/applications/<client_id>/try")
@requires(developer)
def try_application(client_id: str) -> Page:
    """Start a sign-in in the application's name that comes back to the sandbox, so that nothing need run yet."""
    client = queries.get_application(current_principal().id, client_id)
    trial = Trial(client_id, state=new_token(), nonce=new_token(), code_verifier=new_token())
    session[TRIAL] = {"client_id": client_id, "state": trial.state, "code_verifier": trial.code_verifier}
    redirect_uri = trial_address(settings().base_url) or client.redirect_uris[0]
    return redirect(trial.address(Endpoints(settings().base_url), redirect_uri, " ".join(client.scopes)), 303)


@pages.get("/try")
@requires(developer)
def finish_trial() -> Page:
    """Show what an application receives when a sign-in ends, and how it goes on."""
    trial = session.get(TRIAL)
    if not trial or not same(request.args.get("state", ""), trial["state"]):
        return render_template("sandbox_applications/trial_lost.html"), 400
    client = queries.get_application(current_principal().id, trial["client_id"])
    received = {"code": request.args.get("code", ""), "error": request.args.get("error", "")}
    steps = _snippet(
        "exchange.txt",
        client,
        _shown_secret(client),
        redirect_uri=trial_address(settings().base_url),
        code=received["code"],
        code_verifier=trial["code_verifier"],
    )
    return render_template(
        "sandbox_applications/trial.html",
        application=client,
        received=received,
        steps=steps,
        claims=_told(client.client_id, received["code"]),
    )


def _told(client_id: str, code: str) -> str:
    """Show the claims that the application would get about the person with this code, which stays usable; empty for
    none.
    """
    holder, client = holder_of_code(code, client_id), known_client(client_id)
    return json.dumps(userinfo_claims(client, holder), indent=2, ensure_ascii=False) if holder and client else ""


def _address(client_id: str) -> str:
    return url_for("sandbox_applications.show_application", client_id=client_id)


def _application_page(client: Client, secret: str = "", *, is_renewed: bool = False) -> str:
    names = snippets_for(client.profile, client.auth_method, client.options)
    secret_once = _shown_secret(client, secret)
    own = own_addresses(client.redirect_uris, settings().base_url)
    return render_template(
        "sandbox_applications/application.html",
        application=client,
        secret=secret,
        is_renewed=is_renewed,
        redirect_uris=own,
        endpoints=Endpoints(settings().base_url),
        offer=last_offer_of(client.client_id),
        snippets={name: _snippet(name, client, secret_once, redirect_uri=own[0]) for name in names},
    )


def _shown_secret(client: Client, secret: str = "") -> str:
    """A placeholder for the secret in settings that are copied; empty where the application has none."""
    return "" if client.auth_method == "none" else secret or SECRET_PLACEHOLDER


def _snippet(name: str, client: Client, secret: str, **values: Any) -> str:
    """A piece of code with the developer's own values, quoted as its language wants."""
    own = urlsplit(values["redirect_uri"])
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": values["redirect_uri"],
        "scope": " ".join(client.scopes),
    }
    return render_template(
        f"sandbox_applications/snippets/{name}",
        client=client,
        secret=secret,
        endpoints=Endpoints(settings().base_url),
        query=urlencode(query),
        path=own.path or "/",
        port=own.port or 5000,
        py=json.dumps,
        js=lambda text: json.dumps(text).replace("<", "\\u003c"),
        sh=shlex.quote,
        **values,
    )


def _show_faults(form: Form, problem: Invalid) -> None:
    for name, messages in problem.fields.items():
        field = form[name] if name in form else form["name"]
        field.errors = [*field.errors, *messages]
