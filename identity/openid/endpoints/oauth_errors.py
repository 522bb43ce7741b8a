"""Problems in OAuth's words (RFC 6749 5.2), for the endpoints that programs call."""

from __future__ import annotations

from functools import wraps

import structlog
from flask_babel import force_locale
from werkzeug.exceptions import HTTPException

from kernel.base.errors import Problem
from kernel.base.installation import settings
from kernel.http.doors import Endpoint
from kernel.http.incoming import NOT_KEPT, Answer, Incoming
from kernel.http.problems import from_database, from_http

log = structlog.get_logger(__name__)


def description_of(problem: Problem) -> str:
    """Describe a problem to the client's developer. RFC 6749 5.2 allows printable ASCII without quotes and
    backslashes.
    """
    with force_locale("en"):
        text = str(problem.detail or problem.explanation)
    return "".join(character for character in text if " " <= character <= "~" and character not in '"\\')


def in_oauth_words(endpoint: Endpoint) -> Endpoint:
    """Answer the problems of an endpoint with `error` and `error_description`."""

    @wraps(endpoint)
    def run(incoming: Incoming) -> Answer:
        try:
            return endpoint(incoming)
        except Problem as problem:
            return error_answer(problem)
        except HTTPException as error:
            return error_answer(from_http(error))
        except Exception as error:
            if away := from_database(error):
                return error_answer(away)
            raise

    return run


def without_content(status: int) -> Answer:
    """That it is done. RFC 9110 8.3: of nothing no type is told, where libraries would look for the JSON of theirs."""
    return Answer(status, (NOT_KEPT,))


def error_answer(problem: Problem) -> Answer:
    """The problem as JSON, with the page that explains it."""
    log.info("oauth error", kind=problem.kind, error=problem.oauth_error, cause=problem.log or str(problem.detail))
    parameters = {
        "error": problem.oauth_error,
        "error_description": description_of(problem),
        "error_uri": f"{settings().base_url}/problems/{problem.kind}",
    }
    # RFC 6749 5.2: 400 unless something else is said.
    status = 400 if problem.status == 422 else problem.status
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache", **problem.headers}
    return Answer.of_json(parameters, status, tuple(headers.items()))
