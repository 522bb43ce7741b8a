"""Pages of an agency's administrator: its systems, and the applications that people sign in to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from identity.clients import actions
from identity.clients.queries import applications_of, client_of_agency, systems_of
from identity.clients.rules import ClientRevoked, owned_by_agency
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
}
ENVIRONMENTS = {
    "sandbox": _("Under test: test persons only, and addresses on your own machine are allowed"),
    "production": _("In use: real persons only, and addresses with https"),
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
    profile = RadioField(_("How it signs people in"), choices=list(PROFILES.items()), default="standard")
    environment = RadioField(_("Stage"), choices=list(ENVIRONMENTS.items()), default="sandbox")


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
        made = actions.create_client(
            form.name.data,
            form.profile.data,
            _lines(form.redirect_uris.data),
            post_logout_redirect_uris=_lines(form.post_logout_redirect_uris.data),
            environment=form.environment.data,
            owner=_owner(),
        )
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
    form = AddressesForm(
        name=client.name,
        redirect_uris="\n".join(client.redirect_uris),
        post_logout_redirect_uris="\n".join(client.post_logout_redirect_uris),
    )
    return render_template("clients/edit_application.html", client=client, form=form)


@pages.post("/agency/applications/<client_id>/edit")
@requires(administrator)
def change_application(client_id: str) -> Page:
    form = AddressesForm()
    if form.validate_on_submit():
        try:
            actions.update_client(
                client_id,
                name=form.name.data,
                redirect_uris=_lines(form.redirect_uris.data),
                post_logout_redirect_uris=_lines(form.post_logout_redirect_uris.data),
                owner=_owner(),
            )
        except (Invalid, ClientRevoked) as problem:
            explain(form, problem)
        else:
            flash(_("The changes are saved."), "success")
            return redirect(url_for("clients.show", kind="applications", client_id=client_id), 303)
    client = client_of_agency(_agency(), client_id)
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
