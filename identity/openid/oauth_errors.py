"""Problems in OAuth's words (RFC 6749 5.2), for the endpoints that programs call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import structlog
from flask import Response, jsonify
from flask_babel import force_locale
from werkzeug.exceptions import HTTPException

from kernel.base.errors import Problem
from kernel.base.installation import settings
from kernel.http.problems import from_database, from_http

P = ParamSpec("P")
log = structlog.get_logger(__name__)


def description_of(problem: Problem) -> str:
    """What the client's developer may read. RFC 6749 5.2 allows printable ASCII without quotes and backslashes."""
    with force_locale("en"):
        text = str(problem.detail or problem.explanation)
    return "".join(character for character in text if " " <= character <= "~" and character not in '"\\')


def in_oauth_words(view: Callable[P, Any]) -> Callable[P, Any]:
    """Answer the problems of a view with `error` and `error_description`."""

    @wraps(view)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return view(*args, **kwargs)
        except Problem as problem:
            return error_answer(problem)
        except HTTPException as error:
            return error_answer(from_http(error))
        except Exception as error:
            if away := from_database(error):
                return error_answer(away)
            raise

    return run


def without_content(status: int) -> Response:
    """That it is done. RFC 9110 8.3: of nothing no type is told, where libraries would look for the JSON of theirs."""
    answer = Response(status=status, headers={"Cache-Control": "no-store"})
    del answer.headers["Content-Type"]
    return answer


def error_answer(problem: Problem) -> Response:
    """The problem as JSON, with the page that explains it."""
    log.info("oauth error", kind=problem.kind, error=problem.oauth_error, cause=problem.log or str(problem.detail))
    answer = jsonify(
        error=problem.oauth_error,
        error_description=description_of(problem),
        error_uri=f"{settings().base_url}/problems/{problem.kind}",
    )
    # RFC 6749 5.2: 400 unless something else is said.
    answer.status_code = 400 if problem.status == 422 else problem.status
    answer.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache", **problem.headers})
    return answer
