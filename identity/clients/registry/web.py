"""Parts that the pages of applications and of systems have in common: words, credentials, secrets and the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import BooleanField, SelectField, StringField, TextAreaField

from identity.clients.profiles.rules import CERTIFICATE_SUBJECTS
from identity.clients.registry import actions
from identity.clients.registry.queries import client_of_agency
from kernel.base.errors import Invalid, Problem
from kernel.base.parties import Party
from kernel.jobs.access import current_principal, requires, role
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

pages = Blueprint("registry", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]
administrator = role("administrator")
BLUEPRINTS = {"systems": "machine_clients", "applications": "applications"}
"""The pages of each kind of client, by its name in our addresses."""

PROFILES = {
    "standard": _("OpenID Connect, for new applications"),
    "clave-unica": _("Like ClaveÚnica, for applications that already use it"),
    "fapi2": _("FAPI 2.0, for health, money and other sensitive data: with keys instead of secrets"),
}
METHODS = {
    "client_secret": _("A secret, in the header or in the form"),
    "client_secret_basic": _("A secret, in the header"),
    "client_secret_post": _("A secret, in the form"),
    "private_key_jwt": _("A key: it signs (private_key_jwt)"),
    "tls_client_auth": _("A certificate of an authority (tls_client_auth)"),
    "self_signed_tls_client_auth": _("A certificate of its own (self_signed_tls_client_auth)"),
    "none": _("Nothing: it runs in the browser or on a phone"),
}
CERTIFICATE_NAMES = {
    "tls_client_auth_subject_dn": _("Its subject (DN, RFC 4514)"),
    "tls_client_auth_san_dns": _("An alternative name: host (DNS)"),
    "tls_client_auth_san_uri": _("An alternative name: address (URI)"),
    "tls_client_auth_san_ip": _("An alternative name: IP address"),
    "tls_client_auth_san_email": _("An alternative name: e-mail address"),
}
SCOPES = {
    "run": _("RUN"),
    "name": _("Names, as ClaveÚnica gives them"),
    "profile": _("Names, as OpenID Connect gives them"),
    "email": _("E-mail address"),
    "account": _("Where the person shares data, to show it and to end it"),
    "offline_access": _("All of it even while the person is away"),
}
ENVIRONMENTS = {
    "sandbox": _("Under test"),
    "certification": _("Being certified"),
    "production": _("In use"),
}
SECTORS = {
    "owner": _("All applications of the agency"),
    "application": _("Only this application"),
    "public": _("All applications that the authority allows"),
}
FIELDS = {
    "name": _("Name"),
    "profile": _("How it signs people in"),
    "redirect_uris": _("Addresses to return to"),
    "post_logout_redirect_uris": _("Addresses after signing out"),
    "scopes": _("What it asks people to share"),
    "scope_reasons": _("Why"),
    "sector": _("Who knows a person by the same identifier"),
    "contacts": _("People to contact"),
    "auth_method": _("How it proves who it is"),
    "jwks": _("Its public keys"),
    "jwks_uri": _("Where it publishes its keys"),
    "options": _("Further settings"),
    "logo_uri": _("Address of its logo"),
    "logo": _("Logo"),
}
OPTIONS = {
    "backchannel_logout_uri": _("Address that we notify when people sign out"),
    "client_uri": _("Its own page"),
    "policy_uri": _("How it treats your data"),
    "tos_uri": _("Its terms of use"),
    "device_flow": _("Devices without a browser"),
    "pkce_optional": _("Signs in without PKCE"),
    "id_token_signed_response_alg": _("How its ID tokens are signed"),
    "claims_in_id_token": _("Names and e-mail in the ID token"),
}
"""Those of the further settings that pages tell in words."""


ALGORITHMS = {
    "": _("The usual one for its profile: ES256, or RS256 like ClaveÚnica"),
    "RS256": _("RS256: what older libraries expect, such as many for PHP, Go, Java and Lua"),
    "ES256": _("ES256: shorter and faster"),
    "EdDSA": _("EdDSA, with Ed25519"),
    "Ed25519": _("Ed25519, as RFC 9864 names it"),
}


class IdTokenForm(Form):
    """An application's choices about its ID tokens. The rules check it against the profile."""

    id_token_signed_response_alg = SelectField(
        _("How its ID tokens are signed"),
        choices=list(ALGORITHMS.items()),
        default="",
        validate_choice=False,
        description=_("Keep the usual one unless your library refuses the signature."),
    )
    claims_in_id_token = BooleanField(
        _("Names and e-mail also in the ID token"),
        description=_(
            "For libraries that cannot read them anywhere else. People are told. Leave this unticked if "
            "you can: ID tokens "
            "travel through the browser when people sign out, and are often stored. Not with the ClaveÚnica profile."
        ),
    )

    def id_token_options(self) -> dict[str, Any]:
        """The form's choices, as the client's options name them; None for what is left as usual."""
        return {
            "id_token_signed_response_alg": self.id_token_signed_response_alg.data or None,
            "claims_in_id_token": self.claims_in_id_token.data or None,
        }


def id_token_choices_of(client: Client) -> dict[str, Any]:
    """The fields of `IdTokenForm` as they stand for a client."""
    return {
        "id_token_signed_response_alg": client.options.get("id_token_signed_response_alg", ""),
        "claims_in_id_token": bool(client.options.get("claims_in_id_token")),
    }


class CredentialsForm(Form):
    """The fields of client authentication. The rules check the choices, and say which one is wrong."""

    auth_method = SelectField(_("How it proves who it is"), default="", validate_choice=False)
    jwks = TextAreaField(_("Its public keys"), description=_("A JSON Web Key Set, if it signs. Never a private key."))
    jwks_uri = StringField(_("Or the address where it publishes them"), description=_("A public address with https."))
    certificate_name = SelectField(
        _("How we recognise its certificate"), choices=list(CERTIFICATE_NAMES.items()), validate_choice=False
    )
    certificate_value = StringField(_("That name, as it appears in the certificate"))

    def offer(self, methods: tuple[str, ...]) -> None:
        """Let the person choose among these ways, or leave it to us."""
        usual = [("", _("The usual one"))]
        self.auth_method.choices = usual + [(name, text) for name, text in METHODS.items() if name in methods]

    def credentials(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Merge the fields of the form over the options that were there. Raises Invalid for keys that are no JSON."""
        choices = {name: value for name, value in options.items() if name not in CERTIFICATE_SUBJECTS}
        name = self.certificate_name.data
        if self.auth_method.data == "tls_client_auth" and name in CERTIFICATE_SUBJECTS:
            choices[name] = (self.certificate_value.data or "").strip()
        return {
            "jwks": _json(self.jwks.data),
            "jwks_uri": (self.jwks_uri.data or "").strip() or None,
            "options": choices,
        }

    def explain(self, problem: Problem) -> None:
        """Tell what is wrong at the field where it is mended."""
        places = dict.fromkeys(CERTIFICATE_SUBJECTS, "certificate_value") | {"scope_reasons": "scopes"}
        problem.fields = {places.get(name, name): messages for name, messages in problem.fields.items()}
        explain(self, problem)


def credentials_of(client: Client) -> dict[str, Any]:
    """The form's fields as they stand for a client."""
    names = [name for name in CERTIFICATE_SUBJECTS if name in client.options]
    return {
        "auth_method": client.auth_method,
        "jwks": json.dumps(client.jwks, indent=1) if client.jwks else "",
        "jwks_uri": client.jwks_uri,
        "certificate_name": names[0] if names else None,
        "certificate_value": client.options[names[0]] if names else None,
    }


def _json(text: str | None) -> object:
    if not text or not text.strip():
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(fields={"jwks": [_("This is not JSON.")]}) from error
    return value


def agency_code() -> str:
    return current_principal().acting_agency.code


def owner() -> Party:
    """The agency acted for, as a client's owner is written."""
    return Party.agency(agency_code())


@pages.post("/agency/<any(systems, applications):kind>/<client_id>/secret")
@requires(administrator)
@once(SECRET_SHOWN)
def rotate_secret(kind: str, client_id: str) -> Page:
    """A new secret, shown this once."""
    secret = submit_once(
        lambda: actions.rotate_secret(client_id, owner=owner()),
        lambda _: page_of(kind, client_id),
    )
    return show_secret(client_of_agency(agency_code(), client_id), secret)


@pages.post("/agency/<any(systems, applications):kind>/<client_id>/secrets/<code>/withdraw")
@requires(administrator)
def revoke_secret(kind: str, client_id: str, code: str) -> Page:
    """End one of two secrets at once."""
    actions.revoke_secret(client_id, code, owner=owner())
    flash(_("The secret no longer works."), "success")
    return redirect(page_of(kind, client_id), 303)


@pages.get("/agency/<any(systems, applications):kind>/<client_id>/revoke")
@requires(administrator)
def confirm_revoking(kind: str, client_id: str) -> Page:
    client = client_of_agency(agency_code(), client_id)
    return render_template("registry/revoke.html", client=client, kind=kind_of(client))


@pages.post("/agency/<any(systems, applications):kind>/<client_id>/revoke")
@requires(administrator)
def revoke(kind: str, client_id: str) -> Page:
    actions.revoke_client(client_id, owner=owner())
    flash(_("It has been revoked. Its credentials no longer work."), "success")
    return redirect(list_of(kind), 303)


@pages.app_template_global("client_page")
def page_of(kind: str, client_id: str) -> str:
    """The address of a client's page."""
    return url_for(f"{BLUEPRINTS[kind]}.show", client_id=client_id)


@pages.app_template_global("client_list")
def list_of(kind: str) -> str:
    """The address of the list of an agency's clients of the kind."""
    return url_for(f"{BLUEPRINTS[kind]}.list_{kind}")


def kind_of(client: Client) -> str:
    return "systems" if client.profile == "machine" else "applications"


def show_secret(client: Client, secret: str | None) -> str:
    return render_template("registry/secret.html", client=client, secret=secret, kind=kind_of(client))
