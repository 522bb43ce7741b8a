"""Forwarding: a call goes on to another server and its answer comes back, streamed both ways with flat memory.

It is written down before it goes out, before its answer goes back, and when it has ended, whatever becomes of it. Every
answer says who failed, if anybody did.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from flask import Flask, Response, current_app
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from kernel.base.errors import BadGateway, GatewayTimeout, Problem, TooLarge
from kernel.base.installation import settings
from kernel.http.application import ExactResponse
from kernel.outside import outbound
from kernel.outside.bulkheads import DestinationSaturated, Place, Saturated, outward_calls
from kernel.outside.forwarding.addresses import WayBack
from kernel.outside.forwarding.calls import Call
from kernel.outside.forwarding.headers import HeaderRules, downstream_headers, is_stream, upstream_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROVIDER = "provider"
"""The party that failed, where it is not the forwarder."""

HeaderList = list[tuple[str, str]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The end of a call. status: 0 where the answer broke off. failed: the party, None where nobody did."""

    status: int
    failed: str | None
    milliseconds: int


class Recorder(Protocol):
    """Writes one call down, and adds to it what its kind of forwarder has to say."""

    trace: str
    """The call's name in our log; known once it has begun."""

    def refuse(self, status: int, failed: str) -> HeaderList:
        """Write down that there was no room to wait for the provider; the headers to add to the answer."""

    def begin(self) -> str:
        """Write the call down before it goes out; the provider's address. What cannot be written down is not called."""

    def request_headers(self, url: str, headers: HeaderList) -> HeaderList:
        """All the headers to send, of which these are the caller's: here they are added to, and signed."""

    def response_headers(self, status: int, headers: HeaderList) -> HeaderList:
        """The headers to add to an answer with these, of the provider's or of our own, before any of it goes back.

        What raises has the answer withheld.
        """

    def finish(self, outcome: Outcome) -> None:
        """Write down how the call ended. It is called again where a commit was not confirmed."""


@dataclass(frozen=True)
class Forwarder:
    """One kind of forwarding: its name, its headers and its limits."""

    name: str
    """The kind of its places in the bulkhead, and the party where the failure is its own."""
    failure_header: str
    header_rules: HeaderRules
    max_response_bytes: int
    silent_seconds: float = outbound.READ_SECONDS
    response_seconds: float = outbound.TOTAL_SECONDS
    # HTML Living Standard 9.2.7 advises a comment every 15 seconds.
    stream_silent_seconds: float = 60.0
    stream_seconds: float = 3600.0

    def forward(self, call: Call, recorder: Recorder, destination: str) -> Response:
        """Pass a call on and its answer back, unchanged but for what belongs to one connection.

        destination: by which waiting calls are counted. Raises Problem, which says who failed.
        """
        place = self._place(recorder, destination)
        try:
            base_url = recorder.begin()
        except BaseException:
            place.release()
            raise
        passage = _Passage(self, recorder)
        try:
            answer = self._send(call, recorder, base_url, place)
            way_back = WayBack(base_url, settings().base_url + call.prefix, call.path)
            return passage.response(answer, way_back)
        except Exception as error:
            place.release()
            raise passage.failure(error)  # noqa: B904  # often the very same error

    def _place(self, recorder: Recorder, destination: str) -> Place:
        """A place to wait for the provider in; a call that gets none is written down as refused. Raises Saturated."""
        try:
            return outward_calls().take(self.name, destination)
        except Saturated as full:
            failed = PROVIDER if isinstance(full, DestinationSaturated) else self.name
            full.headers.update({self.failure_header: failed, **dict(recorder.refuse(full.status, failed))})
            raise

    def _send(self, call: Call, recorder: Recorder, base_url: str, place: Place) -> Any:
        url = base_url + call.rest
        headers = recorder.request_headers(
            url, upstream_headers(call.headers, self.header_rules, base_url, call.prefix)
        )
        if call.length:
            headers = [*headers, ("Content-Length", str(call.length))]
        return outbound.send(
            call.method, url, headers=headers, content=call.body, timeout=self.silent_seconds, place=place
        )


class _PassedResponse(ExactResponse):
    """An answer of the provider's, whose addresses are written as they came: Werkzeug would encode them once more."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        headers = super().get_wsgi_headers(environ)
        for name in ("Location", "Content-Location"):
            if name in headers:
                headers[name] = self.headers[name]
        return headers


class _Passage:
    """One call on its way: its end is written down once, whatever becomes of it."""

    def __init__(self, forwarder: Forwarder, recorder: Recorder) -> None:
        self.forwarder, self.recorder = forwarder, recorder
        self.started = time.monotonic()
        self.status, self.failed = 0, PROVIDER
        self.app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def finish(self) -> None:
        """Write how it ended; when that fails it stays as one that was cut off."""
        milliseconds = round((time.monotonic() - self.started) * 1000)
        failed = self.failed if self.status >= 500 or self.status == 0 else None
        outcome = Outcome(self.status, failed, milliseconds)
        with self.app.app_context():
            # It says the same however often it is said, so a commit that was not confirmed is made once more.
            for _attempt in range(2):
                try:
                    return self.recorder.finish(outcome)
                except SQLAlchemyError as error:
                    cause = type(error).__name__
            log.error("the end of a call was not written down", trace=self.recorder.trace, cause=cause)
            return None

    def failure(self, error: Exception) -> Exception:
        """Write down the call that got no answer; the error, which says whose failure that was."""
        if isinstance(error, outbound.AddressRefused):
            error = BadGateway(log=error.log)
        if isinstance(error, RequestEntityTooLarge):
            error = TooLarge(log="the body went on beyond the limit")
        theirs = isinstance(error, BadGateway | GatewayTimeout)
        self.failed = PROVIDER if theirs else self.forwarder.name
        self.status = error.status if isinstance(error, Problem) else getattr(error, "code", None) or 500
        self.finish()
        if isinstance(error, Problem):
            added = self.recorder.response_headers(error.status, [])
            error.headers.update({self.forwarder.failure_header: self.failed, **dict(added)})
        return error

    def response(self, answer: Any, way_back: WayBack) -> Response:
        """The provider's answer. Raises BadGateway, GatewayTimeout while nothing of it has gone back."""
        theirs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw]
        try:
            passed = downstream_headers(theirs, self.forwarder.header_rules, way_back)
            body = self._first_piece_read(answer, is_stream(theirs))
            added = self.recorder.response_headers(answer.status_code, passed)
        except BaseException:
            answer.close()
            raise
        self.status = answer.status_code
        response = _PassedResponse(self._passing(body), answer.status_code, passed)
        if not any(name.lower() == "content-type" for name, _value in passed):
            del response.headers["Content-Type"]
        for name, value in added:
            response.headers.add(name, value)
        if answer.status_code >= 400:
            response.headers[self.forwarder.failure_header] = PROVIDER
        # Also when nobody reads the answer: HEAD, or a caller that has gone.
        response.call_on_close(answer.close)
        response.call_on_close(self.finish)
        return response

    def _first_piece_read(self, answer: Any, is_stream: bool) -> Iterator[bytes]:
        """The answer's body, of which the first piece is here: who breaks off before it has not answered.

        A stream's reader gets the headers before the first event.
        """
        limits = self.forwarder
        if is_stream:
            outbound.allow_silence(answer, limits.stream_silent_seconds)
            return chain([b""], outbound.chunks(answer, limits.max_response_bytes, limits.stream_seconds))
        pieces = outbound.chunks(answer, limits.max_response_bytes, limits.response_seconds)
        return chain([next(pieces, b"")], pieces)

    def _passing(self, body: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from body
        except Problem:
            # The status has gone out: all that is left is to break off, so that nobody takes the part for the whole.
            self.status = 0
            raise
