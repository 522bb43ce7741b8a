"""The two doors of an endpoint, to compare what they answer."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from flask.testing import FlaskClient
from joserfc import jws
from werkzeug.test import TestResponse

from identity.authentication.sessions.rules import COOKIE
from kernel.http.doors import DirectDoors, Door

TOKENS = ("access_token", "id_token", "refresh_token", "request_uri")
DIFFERS = {"jti", "iat", "exp", "at_hash", "grant_id"}


@contextmanager
def directly_answered() -> Iterator[list[str]]:
    """The names of the endpoints that the direct door answers in the block."""
    found: list[str] = []
    answer = DirectDoors._answer

    def note(doors: DirectDoors, door: Door, *given: Any) -> Any:
        body = answer(doors, door, *given)
        if body is not None:
            found.append(door.name)
        return body

    with patch.object(DirectDoors, "_answer", note):
        yield found


def directly(browser: FlaskClient, path: str, **request: Any) -> TestResponse:
    """Ask at the direct door, which has to answer."""
    with directly_answered() as found:
        answer = browser.open(path, **request)
    assert len(found) == 1, (path, found)
    return answer


def through_flask(browser: FlaskClient, path: str, **request: Any) -> TestResponse:
    """Ask at Flask's door."""
    with patch.object(DirectDoors, "find", lambda *_: None):
        return browser.open(path, **request)


DOORS = [directly, through_flask]


def said(response: TestResponse) -> Any:
    """The answer, with what differs from one token to the next read or left out."""
    answer = response.get_json(silent=True)
    if isinstance(answer, dict):
        answer = {name: _told(value) if name in TOKENS else value for name, value in answer.items()}
    # What is signed has its time in it.
    return response.mimetype if answer is None else answer


def headers_of(response: TestResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers if name not in ("X-Request-Id", "Content-Length")}


def _told(token: str) -> Any:
    """Return a token's claims, if it has any, and else its length."""
    if token.count(".") != 2:
        return len(token)
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    return {name: claims[name] for name in claims.keys() - DIFFERS}


MARKS = (
    (re.compile(r"nonce([-=])\"?[A-Za-z0-9_-]{22}"), r"nonce\1"),
    (re.compile(r"detour(=|%3D|%253D)([a-z-]+)\.[0-9]+\.[0-9]+\.[0-9a-f]{64}"), r"detour\1\2"),
    (re.compile(r"([?;]|&)code=[A-Za-z0-9_-]+"), r"\1code="),
    (re.compile(rf"^{COOKIE}=[A-Za-z0-9_-]{{43}};"), f"{COOKIE}=;"),
    (re.compile(r'name="code" value="[^"]*"'), 'name="code"'),
    (re.compile(r"^cordillera_form=[^;]+;"), "cordillera_form=;"),
)


def without_marks(text: str) -> str:
    """A page or a header, without what is another one each time."""
    for mark, left in MARKS:
        text = mark.sub(left, text)
    return text


def told(response: TestResponse) -> tuple[int, list[tuple[str, str]], str]:
    """Everything that an answer to a person says, without what is another one each time."""
    headers = sorted((name, without_marks(value)) for name, value in response.headers if name != "X-Request-Id")
    return response.status_code, headers, without_marks(response.text)
