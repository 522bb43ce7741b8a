"""GET /api/v1/accounts/app/logout?redirect=URI, as ClaveÚnica's clients call it."""

from __future__ import annotations

from flask import redirect, request
from werkzeug.wrappers import Response

from identity.authentication.sessions.actions import sign_out
from identity.authentication.sessions.web import forget_cookie
from identity.clients.registry.queries import is_logout_place
from identity.openid.authorization.queries import is_tried_out
from identity.openid.endpoints import from_other_sites
from identity.openid.endpoints.oauth_errors import without_content
from kernel.http.doors import as_response
from kernel.jobs.access import public


@from_other_sites("/api/v1/accounts/app/logout", "GET")
@public("leaving is always allowed")
def clave_unica_logout() -> Response:
    """End the session. 302 to a place with the authority of a registered logout address, 204 for any other or none.

    RFC 9700 4.11: to a place that anybody may have registered only for who tries it out.
    """
    wanted = request.args.get("redirect", "")
    is_known = is_logout_place(wanted, of_anybody=is_tried_out())
    sign_out()
    response: Response = redirect(wanted, 302) if is_known else as_response(without_content(204))
    forget_cookie(response)
    return response
