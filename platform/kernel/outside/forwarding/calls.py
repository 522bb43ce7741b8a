"""Calls as they came, to be passed on: nothing of them decoded, and their bodies not read yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from flask import request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

from kernel.base.errors import BadRequest, TooLarge
from kernel.http.refusals import TargetTooLong
from kernel.outside.forwarding.addresses import target

# RFC 9110 9; RFC 5789; the QUERY method; RFC 2068 19.6.1 (LINK); RFC 4918, 3253, 3744, 5323 (WebDAV). Neither CONNECT,
# which would be a tunnel, nor TRACE, which sends back what a proxy has added.
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "LINK", "UNLINK"),
    *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "ACL", "SEARCH"),
)
LONGEST_TARGET = 8_000
PIECE = 64 * 1024


class RestOfPath(BaseConverter):
    """The provider's part of an address, which may begin with slashes and be empty."""

    part_isolating = False
    regex = "(?s:.*)"
    weight = 200


def register_rest_of_path(state: BlueprintSetupState) -> None:
    """Let a blueprint's routes have `<rest_of_path:…>` in them: `blueprint.record(register_rest_of_path)`."""
    state.app.url_map.converters["rest_of_path"] = RestOfPath


@dataclass(frozen=True)
class Call:
    """A call to be passed on.

    prefix: the path below which the provider is had here. rest: what follows it, octet by octet. length: the body's, if
    it was announced. body: piece by piece; None where there is none.
    """

    method: str
    prefix: str
    rest: str
    headers: list[tuple[str, str]]
    body: Iterator[bytes] | None = None
    length: int | None = None

    @property
    def path(self) -> str:
        return self.rest.partition("?")[0]


def call_of_request(prefix: str, max_body_bytes: int) -> Call:
    """Take the current request as a call. Raises TooLarge, TargetTooLong, BadRequest."""
    if (request.content_length or 0) > max_body_bytes:
        raise TooLarge(log=f"{request.content_length} bytes")
    rest = target("", prefix, _raw_target())
    request.max_content_length = max_body_bytes
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    body = _pieces() if request.content_length or chunked else None
    return Call(request.method, prefix, rest, list(request.headers.items()), body, request.content_length)


def _raw_target() -> str:
    """The request's target as it came: decoded, `%2F` and `/` would be the same. Raises TargetTooLong."""
    raw = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI")
    query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
    written = str(raw or quote(request.path) + query)
    if len(written) > LONGEST_TARGET:
        raise TargetTooLong(log=f"{len(written)} characters")
    return written


def _pieces() -> Iterator[bytes]:
    """The caller's body. Raises BadRequest when it ends before its announced length."""
    read = 0
    while piece := request.stream.read(PIECE):
        read += len(piece)
        yield piece
    if read < (request.content_length or 0):
        raise BadRequest(log=f"{read} of {request.content_length} bytes came")
