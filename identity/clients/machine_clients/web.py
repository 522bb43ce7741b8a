"""Pages of an agency's administrator: its systems, which call the platform by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from identity.clients.client_secrets.rules import active_secrets
from identity.clients.expiry.queries import warnings_of
from identity.clients.machine_clients import actions
from identity.clients.profiles.rules import MACHINE_AUTH_METHODS
from identity.clients.registry.queries import client_of_agency, systems_of
from identity.clients.registry.rules import ClientRevoked
from identity.clients.registry.web import (
    METHODS,
    CredentialsForm,
    administrator,
    agency_code,
    credentials_of,
    owner,
    show_secret,
)
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound, Text
from kernel.jobs.access import MACHINE_SCOPES, requires
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

pages = Blueprint("machine_clients", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]


class ChangeForm(CredentialsForm):
    name = StringField(_("Name"), validators=[InputRequired(_("Write a name."))])


class SystemForm(ChangeForm):
    scopes = SelectMultipleField(
        _("What it may do"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validators=[InputRequired(_("Choose at least one."))],
    )


def _machine_scopes() -> Mapping[str, Text]:
    """Return the scopes that systems may have, from every block that is deployed."""
    return MACHINE_SCOPES()


@pages.get("/agency/systems")
@requires(administrator)
def list_systems() -> Page:
    """The agency's machines that call the platform."""
    return render_template(
        "machine_clients/list.html", systems=systems_of(owner()), scope_names=_machine_scopes(), warnings_of=warnings_of
    )


@pages.get("/agency/systems/new")
@requires(administrator)
def new() -> Page:
    return _ask(_system_form())


@pages.post("/agency/systems/new")
@requires(administrator)
@once(SECRET_SHOWN)
def create() -> Page:
    """Make the system and show its secret, this once."""
    form = _system_form()
    if not form.validate_on_submit():
        return _ask(form), 422
    try:
        made = submit_once(
            lambda: actions.create_machine_client(
                form.name.data,
                agency_code(),
                form.scopes.data,
                auth_method=form.auth_method.data or None,
                **form.credentials({}),
            ),
            lambda made: url_for("machine_clients.show", client_id=made.client.client_id),
        )
    except Invalid as problem:
        form.explain(problem)
        return _ask(form), 422
    return show_secret(made.client, made.secret), 201


def _system_form() -> SystemForm:
    form = SystemForm()
    form.scopes.choices = list(_machine_scopes().items())
    form.offer(MACHINE_AUTH_METHODS)
    return form


def _ask(form: SystemForm) -> str:
    return render_template("machine_clients/new.html", form=form)


@pages.get("/agency/systems/<client_id>/edit")
@requires(administrator)
def edit(client_id: str) -> Page:
    client = _system(client_id)
    return _edit(client, _change_form(name=client.name, **credentials_of(client)))


@pages.post("/agency/systems/<client_id>/edit")
@requires(administrator)
@once()
def change(client_id: str) -> Page:
    """Save, and show the secret that a new way to authenticate needs, this once."""
    client, form = _system(client_id), _change_form()
    if form.validate_on_submit():
        try:
            changed = submit_once(
                lambda: actions.change_machine_client(
                    client_id,
                    form.name.data,
                    auth_method=form.auth_method.data or client.auth_method,
                    owner=owner(),
                    **form.credentials(client.options),
                ),
                lambda _: url_for("machine_clients.show", client_id=client_id),
            )
        except (Invalid, ClientRevoked) as problem:
            form.explain(problem)
        else:
            flash(_("The changes are saved."), "success")
            if changed.secret is not None:
                return show_secret(changed.client, changed.secret)
            return redirect(url_for("machine_clients.show", client_id=client_id), 303)
    return _edit(client, form), 422


def _change_form(**present: Any) -> ChangeForm:
    form = ChangeForm(**present)
    form.offer(MACHINE_AUTH_METHODS)
    return form


def _edit(client: Client, form: ChangeForm) -> str:
    return render_template("machine_clients/edit.html", client=client, form=form)


def _system(client_id: str) -> Client:
    client = client_of_agency(agency_code(), client_id)
    if client.profile != "machine":
        raise NotFound()
    return client


@pages.get("/agency/systems/<client_id>")
@requires(administrator)
def show(client_id: str) -> Page:
    """One system: what it may do, and what can be done with it."""
    client = _system(client_id)
    return render_template(
        "machine_clients/show.html",
        client=client,
        secrets=active_secrets(client.secrets, clock.now()),
        warnings=warnings_of(client),
        scope_names=_machine_scopes(),
        methods=METHODS,
    )
