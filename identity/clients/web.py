"""Pages of an agency's administrator: its systems, and the applications that people sign in to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from identity.clients import actions
from identity.clients.queries import applications_of, client_of_agency, registration_of, systems_of
from identity.clients.rules import ClientRevoked, Registration, owned_by_agency
from identity.registration.queries import requests_of
from kernel.access import current_principal, requires, role
from kernel.errors import Invalid
from kernel.forms import explain

if TYPE_CHECKING:
    from identity.clients.models import Client

pages = Blueprint("clients", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]
administrator = role("administrator")

PROFILES = {
    "standard": _("OpenID Connect, for new applications"),
    "clave-unica": _("As ClaveÚnica, for applications that already use it"),
    "fapi2": _("FAPI 2.0, for health, money and whatever else is delicate: with keys in place of secrets"),
}
METHODS = {
    "": _("The usual one of the profile"),
    "client_secret_basic": _("A secret, in the header"),
    "client_secret_post": _("A secret, in the form"),
    "private_key_jwt": _("A key: the application signs (private_key_jwt)"),
    "self_signed_tls_client_auth": _("A certificate of its own (self_signed_tls_client_auth)"),
    "none": _("Nothing: it runs in the browser or on the telephone"),
}
SCOPES = {
    "run": _("RUN"),
    "name": _("Names, as ClaveÚnica gives them"),
    "profile": _("Names, as OpenID Connect gives them"),
    "email": _("E-mail address"),
    "offline_access": _("All of it also while the person is away"),
}
ENVIRONMENTS = {
    "sandbox": _("Under test"),
    "certification": _("Being certified"),
    "production": _("In use"),
}


class SystemForm(FlaskForm):
    name = StringField(_("Name"), validators=[InputRequired(_("Write a name."))])
    scopes = SelectMultipleField(
        _("What it may do"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validators=[InputRequired(_("Choose at least one."))],
    )


class AddressesForm(FlaskForm):
    name = StringField(
        _("Name"),
        validators=[InputRequired(_("Write a name."))],
        description=_("People read it when they sign in."),
    )
    redirect_uris = TextAreaField(
        _("Addresses to return to"),
        validators=[InputRequired(_("Write at least one address."))],
        description=_("One a line. They are compared letter by letter."),
    )
    post_logout_redirect_uris = TextAreaField(
        _("Addresses after signing out"), description=_("One a line, where people go after they leave.")
    )


class ApplicationForm(AddressesForm):
    """Everything that is registered of an application. The rules check the choices, and say which one is wrong."""

    profile = RadioField(
        _("How it signs people in"), choices=list(PROFILES.items()), default="standard", validate_choice=False
    )
    contacts = TextAreaField(
        _("Whom to write to"), description=_("Addresses of e-mail, one a line. They are told before a secret ends.")
    )
    logo_uri = StringField(
        _("Address of its logo"), description=_("https. We show the address, and never fetch the picture.")
    )
    backchannel_logout_uri = StringField(
        _("Address that we tell when people leave"), description=_("OpenID Connect Back-Channel Logout.")
    )
    scopes = SelectMultipleField(
        _("What it asks people to share"),
        choices=list(SCOPES.items()),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    reason_run = StringField(_("Why it needs the RUN"))
    reason_name = StringField(_("Why it needs the names, as ClaveÚnica gives them"))
    reason_profile = StringField(_("Why it needs the names, as OpenID Connect gives them"))
    reason_email = StringField(_("Why it needs the e-mail address"))
    reason_offline_access = StringField(_("Why it needs them while the person is away"))
    auth_method = SelectField(
        _("How it proves who it is"), choices=list(METHODS.items()), default="", validate_choice=False
    )
    jwks = TextAreaField(_("Its public keys"), description=_("A JSON Web Key Set, if it signs. Never a private key."))
    jwks_uri = StringField(_("Or the address where it publishes them"), description=_("A public address with https."))

    @classmethod
    def of(cls, client: Client) -> ApplicationForm:
        """The form as it stands for a client."""
        kept = registration_of(client)
        return cls(
            name=kept.name,
            redirect_uris="\n".join(kept.redirect_uris),
            post_logout_redirect_uris="\n".join(kept.post_logout_redirect_uris),
            profile=kept.profile,
            contacts="\n".join(kept.contacts),
            logo_uri=kept.logo_uri,
            backchannel_logout_uri=kept.options.get("backchannel_logout_uri"),
            scopes=list(kept.scopes),
            auth_method=kept.auth_method if kept.auth_method in METHODS else "",
            jwks=json.dumps(kept.jwks, indent=1) if kept.jwks else "",
            jwks_uri=kept.jwks_uri,
            **{f"reason_{scope}": reason for scope, reason in kept.scope_reasons.items()},
        )

    def registration(self, before: Registration | None = None) -> Registration:
        """What was typed, over what was there. Raises Invalid for keys that are no JSON."""
        options = {**(before.options if before else {}), "backchannel_logout_uri": self.backchannel_logout_uri.data}
        present = before.profile if before else "standard"
        return Registration(
            name=self.name.data,
            profile=self.profile.data or present,
            redirect_uris=_lines(self.redirect_uris.data),
            post_logout_redirect_uris=_lines(self.post_logout_redirect_uris.data),
            scopes=self.scopes.data or (before.scopes if before else ()),
            auth_method=self.auth_method.data or self._usual_method(before),
            jwks=_json(self.jwks.data),
            jwks_uri=(self.jwks_uri.data or "").strip() or None,
            options=options,
            logo_uri=self.logo_uri.data,
            contacts=_lines(self.contacts.data),
            scope_reasons={scope: self[f"reason_{scope}"].data or "" for scope in SCOPES},
        )

    def _usual_method(self, before: Registration | None) -> str | None:
        """The present one, while the profile stays."""
        return before.auth_method if before and self.profile.data in (None, before.profile) else None


def _json(text: str | None) -> object:
    if not text or not text.strip():
        return None
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(fields={"jwks": [_("This is not JSON.")]}) from error
    return found


def _agency() -> str:
    return current_principal().acting_agency.code


def _owner() -> str:
    return owned_by_agency(_agency())


def _machine_scopes() -> dict[str, Any]:
    """What systems may be allowed to do, from every block that is deployed."""
    found: dict[str, Any] = current_app.extensions.get("cordillera.machine_scopes", {})
    return found


def _lines(text: str | None) -> list[str]:
    return (text or "").splitlines()


# ---- systems ----


@pages.get("/agency/systems")
@requires(administrator)
def systems() -> Page:
    """The agency's machines that call the platform."""
    return render_template("clients/systems.html", systems=systems_of(_owner()), scope_names=_machine_scopes())


@pages.get("/agency/systems/new")
@requires(administrator)
def new_system() -> Page:
    return _ask_for_system(_system_form())


@pages.post("/agency/systems/new")
@requires(administrator)
def create_system() -> Page:
    """Make the system and show its secret, this once."""
    form = _system_form()
    if not form.validate_on_submit():
        return _ask_for_system(form), 422
    try:
        made = actions.create_machine_client(form.name.data, _agency(), form.scopes.data)
    except Invalid as problem:
        explain(form, problem)
        return _ask_for_system(form), 422
    return _show_secret(made.client, made.secret), 201


def _system_form() -> SystemForm:
    form = SystemForm()
    form.scopes.choices = list(_machine_scopes().items())
    return form


def _ask_for_system(form: SystemForm) -> str:
    return render_template("clients/new_system.html", form=form)


# ---- applications ----


@pages.get("/agency/applications")
@requires(administrator)
def applications() -> Page:
    """The agency's applications that people sign in to."""
    return render_template("clients/applications.html", applications=applications_of(_owner()), profiles=PROFILES)


@pages.get("/agency/applications/new")
@requires(administrator)
def new_application() -> Page:
    return _ask_for_application(ApplicationForm())


@pages.post("/agency/applications/new")
@requires(administrator)
def create_application() -> Page:
    """Make the application and show its secret, this once."""
    form = ApplicationForm()
    if not form.validate_on_submit():
        return _ask_for_application(form), 422
    try:
        made = actions.register_client(form.registration(), "sandbox", _owner())
    except Invalid as problem:
        explain(form, problem)
        return _ask_for_application(form), 422
    return _show_secret(made.client, made.secret), 201


def _ask_for_application(form: ApplicationForm) -> str:
    return render_template("clients/new_application.html", form=form)


@pages.get("/agency/applications/<client_id>/edit")
@requires(administrator)
def edit_application(client_id: str) -> Page:
    client = client_of_agency(_agency(), client_id)
    return render_template("clients/edit_application.html", client=client, form=ApplicationForm.of(client))


@pages.post("/agency/applications/<client_id>/edit")
@requires(administrator)
def change_application(client_id: str) -> Page:
    """Save, and show the secret that a new way to authenticate needs, this once."""
    form, client = ApplicationForm(), client_of_agency(_agency(), client_id)
    if form.validate_on_submit():
        try:
            asked = form.registration(registration_of(client))
            changed = actions.change_registration(client_id, asked, owner=_owner())
        except (Invalid, ClientRevoked) as problem:
            explain(form, problem)
        else:
            flash(_("The changes are saved."), "success")
            if changed.secret is not None:
                return _show_secret(changed.client, changed.secret)
            return redirect(url_for("clients.show", kind="applications", client_id=client_id), 303)
    return render_template("clients/edit_application.html", client=client, form=form), 422


# ---- both ----


@pages.get("/agency/<any(systems, applications):kind>/<client_id>")
@requires(administrator)
def show(kind: str, client_id: str) -> Page:
    """One client: what is registered, and what can be done with it."""
    client = client_of_agency(_agency(), client_id)
    return render_template(
        "clients/show.html",
        client=client,
        kind=kind_of(client),
        scope_names=_machine_scopes(),
        profiles=PROFILES,
        environments=ENVIRONMENTS,
        scope_labels=SCOPES,
        requests=requests_of(client_id),
    )


@pages.post("/agency/<any(systems, applications):kind>/<client_id>/secret")
@requires(administrator)
def rotate_secret(kind: str, client_id: str) -> Page:
    """A new secret, shown this once."""
    secret = actions.rotate_secret(client_id, owner=_owner())
    return _show_secret(client_of_agency(_agency(), client_id), secret)


@pages.get("/agency/<any(systems, applications):kind>/<client_id>/revoke")
@requires(administrator)
def confirm_revoking(kind: str, client_id: str) -> Page:
    client = client_of_agency(_agency(), client_id)
    return render_template("clients/revoke.html", client=client, kind=kind_of(client))


@pages.post("/agency/<any(systems, applications):kind>/<client_id>/revoke")
@requires(administrator)
def revoke(kind: str, client_id: str) -> Page:
    actions.revoke_client(client_id, owner=_owner())
    flash(_("It is revoked. Its credentials no longer work."), "success")
    return redirect(url_for(f"clients.{kind}"), 303)


def kind_of(client: Client) -> str:
    return "systems" if client.profile == "machine" else "applications"


def _show_secret(client: Client, secret: str | None) -> str:
    return render_template("clients/secret.html", client=client, secret=secret, kind=kind_of(client))
