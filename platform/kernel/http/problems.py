"""The one renderer of problems: RFC 9457 for programs, a page for people; and the page that documents each kind."""

from __future__ import annotations

import errno
from typing import Any

import structlog
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, UnprocessableEntity

from kernel.base import errors
from kernel.base.errors import Problem
from kernel.base.installation import settings
from kernel.base.request_id import current_request_id
from kernel.base.slots import Slot
from kernel.database.outage import CommitUnconfirmed, is_away
from kernel.http.application import wants_json
from kernel.http.incoming import too_large
from kernel.jobs.access import SIGN_IN_ENDPOINT, public
from kernel.recording.work import autonomous_work

log = structlog.get_logger(__name__)
CHALLENGE: Slot[str] = Slot("challenge", lambda: "Bearer")
"""The challenge to whoever comes to the interface without a token (`WWW-Authenticate`)."""

pages = Blueprint("problems", __name__, url_prefix="/problems")

BY_STATUS: dict[int, type[Problem]] = {
    400: errors.BadRequest,
    401: errors.SignInRequired,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    409: errors.Conflict,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.Invalid,
    429: errors.TooMany,
    503: errors.Unavailable,
}


def from_http(error: HTTPException) -> Problem:
    """The problem that a library's HTTP error stands for."""
    if isinstance(error, RequestEntityTooLarge):
        return too_large(request.max_content_length)
    kind = BY_STATUS.get(error.code or 500, errors.BadRequest if (error.code or 500) < 500 else errors.Internal)
    problem = kind(log=str(error))
    if isinstance(error, UnprocessableEntity):
        problem.fields = _messages(getattr(error, "data", {}).get("messages", {}))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After", "WWW-Authenticate"):
            problem.headers[name] = value
    return problem


def _messages(nested: Any, prefix: str = "") -> dict[str, list[str]]:
    """Marshmallow's nested messages, flat: `{"json": {"name": ["…"]}}` becomes `{"name": ["…"]}`."""
    if isinstance(nested, list):
        return {prefix or "body": [str(one) for one in nested]}
    flat: dict[str, list[str]] = {}
    for name, inner in nested.items():
        known = not prefix and name in ("json", "query", "headers", "form", "files", "path", "json_or_form")
        flat |= _messages(inner, "" if known else f"{prefix}.{name}".lstrip("."))
    return flat


def render(problem: Problem) -> Response:
    """Answer with the problem in the words that the caller understands."""
    if problem.status >= 500:
        log.error("problem", kind=problem.kind, cause=problem.log, path=request.path)
    else:
        log.info("problem", kind=problem.kind, cause=problem.log, path=request.path)
    _remember_refusal(problem)
    response = _as_json(problem) if wants_json() else _as_page(problem)
    response.headers.update(problem.headers)
    return response


def _remember_refusal(problem: Problem) -> None:
    if problem.audit_tag is None:
        return
    try:
        with autonomous_work() as work:
            work.record(problem.audit_tag, f"path:{request.path[:200]}", method=request.method, kind=problem.kind)
    except SQLAlchemyError as error:
        log.error("a refusal could not be recorded", cause=type(error).__name__)


def _as_json(problem: Problem) -> Response:
    body: dict[str, Any] = {
        "type": f"{settings().base_url}/problems/{problem.kind}",
        "title": str(problem.title),
        "status": problem.status,
        "instance": f"urn:request:{current_request_id()}",
    }
    if problem.detail:
        body["detail"] = str(problem.detail)
    if problem.fields:
        body["errors"] = {name: [str(one) for one in messages] for name, messages in problem.fields.items()}
    response = jsonify(body)
    response.status_code = problem.status
    response.content_type = "application/problem+json"
    if problem.status == 401:
        # RFC 6750 3.1: who brought no token learns how to bring one, and of no error.
        response.headers["WWW-Authenticate"] = CHALLENGE()
    return response


def _as_page(problem: Problem) -> Response:
    if isinstance(problem, errors.SignInRequired) and request.method in ("GET", "HEAD"):
        endpoint = problem.sign_in_endpoint or SIGN_IN_ENDPOINT()
        if endpoint:
            return make_response(redirect(url_for(endpoint, next=request.full_path.rstrip("?")), 303))
    page = render_template("error.html", problem=problem, request_id=current_request_id())
    return make_response(page, problem.status)


def install_errors(app: Flask) -> None:
    """Every way to fail ends in `render`; nothing of an exception's own words reaches the caller."""
    app.register_blueprint(pages)
    app.register_error_handler(Problem, render)
    app.register_error_handler(HTTPException, lambda error: render(from_http(error)))
    app.register_error_handler(OSError, _no_room)
    app.register_error_handler(Exception, _unexpected)


def from_database(error: Exception) -> Problem | None:
    """The problem that an error stands for which says that the database is away; None for any other."""
    if not is_away(error):
        return None
    kind = errors.Unconfirmed if isinstance(error, CommitUnconfirmed) else errors.Unavailable
    return kind(log=f"database: {type(error).__name__}", headers={"Retry-After": "30"})


def _no_room(error: OSError) -> Response:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return render(errors.OutOfSpace(log=str(error)))
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    if problem := from_database(error):
        return render(problem)
    if current_app.testing:
        raise error
    log.exception("unexpected error", path=request.path)
    return render(errors.Internal(log=type(error).__name__))


@pages.get("/")
@public("documentation")
def every_kind() -> str:
    return render_template("problems.html", problems=errors.all_problems())


@pages.get("/<kind>")
@public("documentation")
def one_kind(kind: str) -> str:
    problem = errors.all_problems().get(kind)
    if problem is None:
        raise errors.NotFound()
    return render_template("problem.html", problem=problem)
