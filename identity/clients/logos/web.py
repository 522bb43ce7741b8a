"""Pages: an application's picture, and the picture itself."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired
from werkzeug.wrappers import Response as Redirect

from identity.clients.client_reviews.actions import ChangeResult
from identity.clients.client_reviews.rules import AlreadyAsked
from identity.clients.logos.actions import change_logo, remove_logo
from identity.clients.logos.queries import logo_content
from identity.clients.logos.rules import MAX_BYTES
from identity.clients.registry.queries import application_of
from identity.clients.registry.web import administrator, owner
from kernel.base.errors import Invalid
from kernel.http.application import AnyRequest
from kernel.jobs.access import public, requires
from kernel.pages.forms import Form, explain
from kernel.pages.submissions import once, submit_once

pages = Blueprint("logos", __name__, template_folder="templates")
Page = str | Redirect | tuple[str, int]


class LogoForm(Form):
    logo = FileField(
        _("Picture"),
        validators=[FileRequired(_("Choose a picture."))],
        description=_("PNG, from 32 to 1024 pixels each way, at most 200 kilobytes. A square works best."),
    )


@pages.url_value_preprocessor
def keep_form(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A picture that is far too large is told beside its field; the form is read before the view, for its token."""
    cast(AnyRequest, request).keep_form(MAX_BYTES)


@pages.get("/logos/<sha256>.png")
@public("it is shown to whoever signs in to the application")
def picture(sha256: str) -> Response:
    """A PNG that never changes under its address."""
    answer = Response(logo_content(sha256), mimetype="image/png")
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


@pages.get("/agency/applications/<client_id>/logo")
@requires(administrator)
def ask(client_id: str) -> Page:
    return _ask(client_id, LogoForm())


@pages.post("/agency/applications/<client_id>/logo")
@requires(administrator)
@once()
def change(client_id: str) -> Page:
    form = LogoForm()
    if not form.validate_on_submit():
        return _ask(client_id, form), 422
    client, content = application_of(owner(), client_id), form.logo.data.read(MAX_BYTES + 1)
    try:
        return _done(submit_once(lambda: change_logo(client, content), lambda _: _address(client_id)))
    except (Invalid, AlreadyAsked) as problem:
        explain(form, problem)
        return _ask(client_id, form), 422


@pages.post("/agency/applications/<client_id>/logo/remove")
@requires(administrator)
@once()
def remove(client_id: str) -> Page:
    client = application_of(owner(), client_id)
    return _done(submit_once(lambda: remove_logo(client), lambda _: _address(client_id)))


def _done(changed: ChangeResult) -> Page:
    if changed.request is not None:
        flash(_("The authority has to approve this. Until then, the application stays as it is."), "attention")
    else:
        flash(_("The changes are saved."), "success")
    return redirect(_address(changed.client.client_id), 303)


def _address(client_id: str) -> str:
    return url_for("applications.show", client_id=client_id)


def _ask(client_id: str, form: LogoForm) -> str:
    return render_template("logos/ask.html", client=application_of(owner(), client_id), form=form)
