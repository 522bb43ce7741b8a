"""The page on which an agency's administrator keeps the keys that the agency signs with."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from interoperability.directory import actions, queries
from interoperability.directory.rules import KeyTaken
from kernel.base.errors import Invalid
from kernel.base.installation import settings
from kernel.jobs.access import current_principal, requires, role
from kernel.pages.forms import Form, explain, one_line
from kernel.pages.submissions import once, submit_once

pages = Blueprint("directory", __name__, url_prefix="/agency/keys", template_folder="templates")
Page = str | Response | tuple[str, int]
ADMINISTRATOR = "administrator"


class KeyForm(Form):
    name = StringField(
        _("Name"),
        validators=[InputRequired(_("Write a name.")), Length(3, 100, _("From 3 to 100 characters.")), one_line],
        description=_("What uses it to sign, for example: document system."),
    )
    public_key = TextAreaField(
        _("Public key"),
        validators=[InputRequired(_("Paste the public key.")), Length(max=10_000)],
        description=_("As PEM or JWK: P-256, Ed25519, or RSA of 2048 bits or more. Never the private key."),
    )
    proof = TextAreaField(
        _("Proof that you hold the private key"),
        validators=[InputRequired(_("Paste the proof.")), Length(max=10_000)],
        description=_("The text that the program below prints."),
    )


class RevocationForm(Form):
    reason = StringField(
        _("Reason"),
        validators=[InputRequired(_("Write the reason.")), Length(3, 500, _("From 3 to 500 characters.")), one_line],
    )


@pages.get("")
@requires(role(ADMINISTRATOR))
def keys() -> Page:
    return _show_keys(KeyForm())


@pages.post("")
@requires(role(ADMINISTRATOR))
@once()
def register() -> Page:
    form = KeyForm()
    if form.validate_on_submit():
        try:
            submit_once(
                lambda: actions.register_key(
                    current_principal(), " ".join(form.name.data.split()), form.public_key.data, form.proof.data.strip()
                ),
                lambda _: url_for("directory.keys"),
            )
        except (Invalid, KeyTaken) as problem:
            explain(form, problem)
        else:
            flash(
                _("The key has been registered. From now on, your agency is responsible for what it signs."), "success"
            )
            return redirect(url_for("directory.keys"), 303)
    return _show_keys(form), 422


def _show_keys(form: KeyForm) -> str:
    agency = current_principal().acting_agency
    return render_template(
        "directory/keys.html",
        agency=agency,
        page=queries.page_of_keys(agency.code, request.args.get("cursor"), None),
        form=form,
        platform=settings().base_url,
    )


@pages.get("/<thumbprint>/revocation")
@requires(role(ADMINISTRATOR))
def confirm(thumbprint: str) -> Page:
    return _show_revocation(thumbprint, RevocationForm())


@pages.post("/<thumbprint>/revocation")
@requires(role(ADMINISTRATOR))
@once()
def revoke(thumbprint: str) -> Page:
    form = RevocationForm()
    if not form.validate_on_submit():
        return _show_revocation(thumbprint, form), 422
    submit_once(
        lambda: actions.revoke_key(current_principal(), thumbprint, " ".join(form.reason.data.split())),
        lambda _: url_for("directory.keys"),
    )
    flash(_("The key has been revoked. What it signed before remains valid."), "success")
    return redirect(url_for("directory.keys"), 303)


def _show_revocation(thumbprint: str, form: RevocationForm) -> str:
    agency = current_principal().acting_agency
    return render_template("directory/revoke.html", key=queries.key_of(agency.code, thumbprint), form=form)
