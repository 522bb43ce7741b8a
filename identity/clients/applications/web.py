"""Pages of an agency's administrator: the applications that people sign in to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import BooleanField, RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from identity.clients.client_reviews.actions import change_application, register_application
from identity.clients.client_reviews.queries import find_pending, reviews_of
from identity.clients.client_reviews.rules import AlreadyAsked
from identity.clients.client_secrets.rules import active_secrets
from identity.clients.expiry.queries import warnings_of
from identity.clients.profiles.rules import AUTH_METHODS, algorithm_of
from identity.clients.registry.queries import application_of, applications_of, registration_of
from identity.clients.registry.rules import ClientRevoked, Registration
from identity.clients.registry.web import (
    ENVIRONMENTS,
    FIELDS,
    METHODS,
    OPTIONS,
    PROFILES,
    SCOPES,
    SECTORS,
    CredentialsForm,
    IdTokenForm,
    administrator,
    credentials_of,
    id_token_choices_of,
    owner,
    show_secret,
)
from kernel.base import clock
from kernel.base.errors import Invalid
from kernel.jobs.access import requires
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

pages = Blueprint("applications", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]


class ApplicationForm(CredentialsForm, IdTokenForm):
    """Everything that is registered of an application."""

    name = StringField(
        _("Name"),
        validators=[InputRequired(_("Write a name."))],
        description=_("People read it when they sign in."),
    )
    redirect_uris = TextAreaField(
        _("Addresses to return to"),
        validators=[InputRequired(_("Write at least one address."))],
        description=_("One per line. They are compared character by character."),
    )
    post_logout_redirect_uris = TextAreaField(
        _("Addresses after signing out"), description=_("One per line: where people go after signing out.")
    )
    backchannel_logout_uri = StringField(
        _("Address that we notify when people sign out"), description=_("OpenID Connect Back-Channel Logout.")
    )
    profile = RadioField(
        _("How it signs people in"), choices=list(PROFILES.items()), default="standard", validate_choice=False
    )
    device_flow = BooleanField(
        _("It also runs on devices without a browser"),
        description=_(
            "For televisions, kiosks and command lines. It shows a code, and people authorise it from "
            "their phone or computer (RFC 8628). Only with OpenID Connect, for new applications. Leave "
            "this unticked unless you need it."
        ),
    )
    pkce_optional = BooleanField(
        _("It cannot send PKCE yet"),
        description=_(
            "Only with OpenID Connect, and with a secret, key or certificate. Without PKCE, anyone who "
            "intercepts a code could sign in as that person. Untick this as soon as the application can "
            "send it."
        ),
    )
    contacts = TextAreaField(
        _("People to contact"),
        description=_("E-mail addresses, one per line. We write to them before a secret expires."),
    )
    scopes = SelectMultipleField(
        _("What it asks people to share"),
        choices=list(SCOPES.items()),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    sector = RadioField(
        _("Who knows a person by the same identifier"),
        choices=list(SECTORS.items()),
        default="owner",
        validate_choice=False,
        description=_("The fewer they are, the less can be pieced together about people."),
    )

    @classmethod
    def of(cls, client: Client | None) -> ApplicationForm:
        """The form as it stands for a client, or empty for a new one."""
        form = cls(**_said_of(client)) if client else cls()
        form.offer(AUTH_METHODS)
        return form

    def registration(self, before: Registration | None = None) -> Registration:
        """Merge the fields of the form over the registration before. Raises Invalid for keys that are no JSON."""
        options = {
            **(before.options if before else {}),
            "backchannel_logout_uri": self.backchannel_logout_uri.data,
            "device_flow": self.device_flow.data or None,
            "pkce_optional": self.pkce_optional.data or None,
            **self.id_token_options(),
        }
        return Registration(
            name=self.name.data,
            profile=self.profile.data or (before.profile if before else "standard"),
            redirect_uris=_lines(self.redirect_uris.data),
            post_logout_redirect_uris=_lines(self.post_logout_redirect_uris.data),
            scopes=["openid", *(self.scopes.data or ())],
            auth_method=self.auth_method.data or self._usual_method(before),
            logo_uri=before.logo_uri if before else None,
            contacts=_lines(self.contacts.data),
            scope_reasons={scope: self[f"reason_{scope}"].data or "" for scope in SCOPES},
            sector=self.sector.data or None,
            **self.credentials(options),
        )

    def _usual_method(self, before: Registration | None) -> str | None:
        """The present one, while the profile stays."""
        return before.auth_method if before and self.profile.data in (None, before.profile) else None


for _scope, _text in SCOPES.items():
    setattr(ApplicationForm, f"reason_{_scope}", StringField(_("Why: %(what)s", what=_text)))


def _said_of(client: Client) -> dict[str, object]:
    registration = registration_of(client)
    return {
        "name": registration.name,
        "redirect_uris": "\n".join(registration.redirect_uris),
        "post_logout_redirect_uris": "\n".join(registration.post_logout_redirect_uris),
        "profile": registration.profile,
        "contacts": "\n".join(registration.contacts),
        "backchannel_logout_uri": registration.options.get("backchannel_logout_uri"),
        "device_flow": bool(registration.options.get("device_flow")),
        "pkce_optional": bool(registration.options.get("pkce_optional")),
        "scopes": list(registration.scopes),
        "sector": registration.sector,
        **credentials_of(client),
        **id_token_choices_of(client),
        **{f"reason_{scope}": reason for scope, reason in registration.scope_reasons.items()},
    }


def _lines(text: str | None) -> list[str]:
    return (text or "").splitlines()


@pages.get("/agency/applications")
@requires(administrator)
def list_applications() -> Page:
    """The agency's applications that people sign in to."""
    return render_template(
        "applications/list.html",
        applications=applications_of(owner()),
        profiles=PROFILES,
        warnings_of=warnings_of,
    )


@pages.get("/agency/applications/new")
@requires(administrator)
def new() -> Page:
    return _ask(ApplicationForm.of(None))


@pages.post("/agency/applications/new")
@requires(administrator)
@once(SECRET_SHOWN)
def create() -> Page:
    """Make the application and show its secret, this once."""
    form = ApplicationForm.of(None)
    if not form.validate_on_submit():
        return _ask(form), 422
    try:
        made = submit_once(
            lambda: register_application(form.registration(), "sandbox", owner()),
            lambda made: url_for("applications.show", client_id=made.client.client_id),
        )
    except Invalid as problem:
        form.explain(problem)
        return _ask(form), 422
    return show_secret(made.client, made.secret), 201


def _ask(form: ApplicationForm) -> str:
    return render_template("applications/new.html", form=form)


@pages.get("/agency/applications/<client_id>/edit")
@requires(administrator)
def edit(client_id: str) -> Page:
    client = application_of(owner(), client_id)
    return _edit(client, ApplicationForm.of(client))


@pages.post("/agency/applications/<client_id>/edit")
@requires(administrator)
@once()
def change(client_id: str) -> Page:
    """Save or ask the authority, and show the secret that a new way to authenticate needs, this once."""
    client = application_of(owner(), client_id)
    form = ApplicationForm.of(None)
    if form.validate_on_submit():
        try:
            changed = submit_once(
                lambda: change_application(client, form.registration(registration_of(client))),
                lambda _: url_for("applications.show", client_id=client_id),
            )
        except (Invalid, ClientRevoked, AlreadyAsked) as problem:
            form.explain(problem)
        else:
            if changed.request is not None:
                flash(_("The authority has to approve this. Until then, the application stays as it is."), "attention")
            else:
                flash(_("The changes are saved."), "success")
            if changed.secret is not None:
                return show_secret(changed.client, changed.secret)
            return redirect(url_for("applications.show", client_id=client_id), 303)
    return _edit(client, form), 422


def _edit(client: Client, form: ApplicationForm) -> str:
    return render_template("applications/edit.html", client=client, form=form)


@pages.get("/agency/applications/<client_id>")
@requires(administrator)
def show(client_id: str) -> Page:
    """One application: what is registered, what waits, and what can be done with it."""
    client = application_of(owner(), client_id)
    return render_template(
        "applications/show.html",
        client=client,
        registration=registration_of(client),
        secrets=active_secrets(client.secrets, clock.now()),
        warnings=warnings_of(client),
        waiting=find_pending(client_id),
        requests=reviews_of(client_id),
        profiles=PROFILES,
        methods=METHODS,
        environments=ENVIRONMENTS,
        scope_labels=SCOPES,
        sectors=SECTORS,
        fields=FIELDS,
        options=OPTIONS,
        algorithm=algorithm_of(client.profile, client.options),
    )
