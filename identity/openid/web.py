"""The provider's pages and endpoints, and the page where a person sees and ends what applications get."""

from __future__ import annotations

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from identity.openid.authorization import actions
from identity.openid.authorization.queries import applications_entered_by
from identity.openid.endpoints import (
    authorize,
    clave_unica_logout,
    device,
    device_authorization,
    discovery,
    end_session,
    introspection,
    jwks,
    pages,
    par,
    registration,
    revocation,
    token,
    userinfo,
)
from identity.openid.endpoints.authorize import in_words
from identity.openid.grants.authorization_details import titles_in_force
from kernel.jobs.access import current_principal, person, requires

ENDPOINTS = (
    authorize,
    par,
    registration,
    token,
    userinfo,
    jwks,
    discovery,
    end_session,
    clave_unica_logout,
    introspection,
    revocation,
    device_authorization,
    device,
)


@pages.get("/account/applications")
@requires(person)
def applications() -> str:
    """List the applications at which the person signs in with this identity, and what each may know."""
    entered = applications_entered_by(UUID(current_principal().id))
    return render_template(
        "openid/applications.html", applications=entered, in_words=in_words, titles_in_force=titles_in_force
    )


@pages.post("/account/applications/<client_id>/withdraw")
@requires(person)
def withdraw(client_id: str) -> Response:
    """Stop sharing with an application."""
    actions.withdraw_consent(UUID(current_principal().id), client_id)
    flash(_("Done. The application can no longer ask us anything about you."), "success")
    return redirect(url_for("openid.applications"), 303)
