"""Pages of an agency's administrator: the applications that developers of the sandbox offer it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response
from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired

from identity.clients.client_reviews.rules import ChangedMeanwhile
from identity.clients.ownership_transfers import actions
from identity.clients.ownership_transfers.queries import offer_to, pending_at
from identity.clients.registry.queries import registration_of
from identity.clients.registry.web import FIELDS, OPTIONS, PROFILES, SCOPES, administrator, agency_code, show_secret
from kernel.base.errors import Invalid
from kernel.jobs.access import requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import SECRET_SHOWN, once, submit_once

pages = Blueprint("ownership_transfers", __name__, template_folder="templates")
Page = str | Response | tuple[str, int]


class RemarkForm(Form):
    remark = TextAreaField(_("Why not"), validators=[InputRequired(_("Say why."))])


class AcceptForm(Form):
    seen = HiddenField()


@pages.get("/agency/adoptions")
@requires(administrator)
def list_offers() -> Page:
    """List offers that wait for the agency's answer."""
    return render_template("ownership_transfers/list.html", offers=pending_at(agency_code()), profiles=PROFILES)


@pages.get("/agency/adoptions/<client_id>")
@requires(administrator)
def show(client_id: str) -> Page:
    """One of them: who offers it, why, and what it is."""
    return _show(client_id, RemarkForm())


@pages.post("/agency/adoptions/<client_id>/accept")
@requires(administrator)
@once(SECRET_SHOWN)
def accept(client_id: str) -> Page:
    """Take the application over, and show its new secret, this once."""
    try:
        made = submit_once(
            lambda: actions.accept(client_id, agency_code(), AcceptForm().seen.data or ""),
            lambda _: url_for("applications.show", client_id=client_id),
        )
    except ChangedMeanwhile as problem:
        form = RemarkForm(formdata=None)
        explain(form, problem)
        return _show(client_id, form), 422
    flash(_("The application is your agency's now. It is still under test."), "success")
    if made.secret is None:
        return redirect(url_for("applications.show", client_id=client_id), 303)
    return show_secret(made.client, made.secret)


@pages.post("/agency/adoptions/<client_id>/decline")
@requires(administrator)
@once()
def decline(client_id: str) -> Page:
    form = RemarkForm()
    if not form.validate_on_submit():
        return _show(client_id, form), 422
    try:
        submit_once(
            lambda: actions.decline(client_id, agency_code(), form.remark.data),
            lambda _: url_for("ownership_transfers.list_offers"),
        )
    except Invalid as problem:
        explain(form, problem)
        return _show(client_id, form), 422
    flash(_("The developer was told."), "success")
    return redirect(url_for("ownership_transfers.list_offers"), 303)


def _show(client_id: str, form: RemarkForm) -> str:
    offer = offer_to(agency_code(), client_id)
    return render_template(
        "ownership_transfers/show.html",
        client=offer.client,
        request=offer.request,
        registration=registration_of(offer.client),
        form=form,
        seen=offer.fingerprint,
        profiles=PROFILES,
        scope_labels=SCOPES,
        fields=FIELDS,
        options=OPTIONS,
    )
