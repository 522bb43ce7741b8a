"""A request and its answer as the endpoints of programs know them: neither of Flask nor of WSGI.

Both doors (`doors`) make an `Incoming` of what came in, once a request, and send the `Answer` that a function gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from flask import Request, request
from werkzeug.datastructures import MIMEAccept, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_accept_header

from kernel.base.errors import TooLarge, _
from kernel.http.application import AnyRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Header = tuple[str, str]
FORM = "application/x-www-form-urlencoded"
PLAIN_BYTES = 16_384
"""Up to here a form is read in one go; longer bodies, and those of other kinds, are read as Flask does."""
NOTHING: frozenset[str] = frozenset()
KEPT_AS = "cordillera.incoming"
REFUSED = "cordillera.refused"
"""The place in the environ at which the web server says why it refused a request (`refusals`)."""


class Incoming:
    """One request. Fields and headers that came twice are seen twice; nothing of it has been believed yet."""

    def __init__(self, environ: WSGIEnvironment, endpoint: str | None = None, *, is_counted: bool = True) -> None:
        """endpoint: the name of what answers it. is_counted: whether it counts against the limit of its address."""
        self._environ = environ
        self._as_flask_has_it: Request | None = None
        self.endpoint, self.is_counted = endpoint, is_counted
        self.method: str = environ["REQUEST_METHOD"]
        self.longest_body: int | None = None
        """In bytes; None for what is usual."""
        self.path_values: Mapping[str, str] = {}
        """The variable parts of its path, by their names."""
        self.request_id = ""
        self.began: float | None = None
        """By `time.perf_counter`."""
        self.is_within_limit: bool | None = None
        """Whether its address may ask as much; None until it is counted."""
        self.caller: Any = None
        """The one who asks, as soon as the endpoint knows."""
        self.headers_to_add: list[Header] = []
        """To be told with the answer, whatever that is."""
        self.failure: Exception | None = None
        """An error at the direct door that was none of the answers of an endpoint."""

    @property
    def path(self) -> str:
        path: str = self._environ.get("PATH_INFO", "")
        if not path.isascii():
            path = path.encode("latin-1").decode(errors="replace")
        return "/" + path.lstrip("/")

    @property
    def written_path(self) -> str:
        """The path as it was sent, with what is escaped in it; empty where the server does not tell."""
        return str(self._environ.get("RAW_URI", "")).partition("?")[0]

    @property
    def address(self) -> str:
        """The address it comes from, as far as the trusted proxies say."""
        return str(self._environ.get("REMOTE_ADDR", ""))

    @property
    def refused(self) -> Any:
        """The problem for which the web server itself refused it."""
        return self._environ.get(REFUSED)

    def header(self, name: str) -> str:
        """A header's text, of one that came more than once joined with commas (RFC 9110 5.3); empty without one."""
        return str(self._environ.get(_in_environ(name), ""))

    def has_header(self, name: str) -> bool:
        return _in_environ(name) in self._environ

    def accepts(self, mimetype: str, rather_than: str) -> bool:
        """Whether the caller takes this kind of answer at least as gladly as the other (RFC 9110 12.5.1)."""
        accepted = parse_accept_header(self.header("Accept"), MIMEAccept)
        return accepted[mimetype] > 0 and accepted[mimetype] >= accepted[rather_than]

    @property
    def mimetype(self) -> str:
        """The kind of its body, without parameters."""
        return str(self._environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()

    @property
    def body(self) -> bytes:
        """All of it, of a body that is no form. Raises TooLarge."""
        try:
            return self._flask().get_data()
        except RequestEntityTooLarge as error:
            raise too_large(self._flask().max_content_length) from error

    @cached_property
    def form(self) -> MultiDict[str, str]:
        """The fields of a form, of whichever kind; none where the body is no form. Raises TooLarge."""
        self.__dict__["form"] = MultiDict[str, str]()  # who asks again after a failure learns of no field
        plain = self._plain_form()
        return plain if plain is not None else self._form_of_flask()

    @cached_property
    def repeated(self) -> frozenset[str]:
        """The names of the fields that came more than once."""
        return frozenset(name for name, values in self.form.lists() if len(values) > 1)

    def _plain_form(self) -> MultiDict[str, str] | None:
        """A short form with its length, in ASCII as it has to be; None for any other, which can still be read."""
        environ, length = self._environ, self._environ.get("CONTENT_LENGTH") or ""
        if environ.get("CONTENT_TYPE") != FORM or "HTTP_TRANSFER_ENCODING" in environ or self._as_flask_has_it:
            return None
        if not length.isdecimal() or int(length) > min(PLAIN_BYTES, self.longest_body or PLAIN_BYTES):
            return None
        body: bytes = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
        if len(body) != int(length) or not body.isascii():
            return None
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="werkzeug.url_quote")
        form = Fields(fields)
        if len(form) == len(fields):
            self.__dict__["repeated"] = NOTHING
        return form

    def _form_of_flask(self) -> MultiDict[str, str]:
        try:
            return self._flask().form
        except RequestEntityTooLarge as error:
            raise too_large(self._flask().max_content_length) from error

    def _flask(self) -> Request:
        """The request that Flask makes of it, which reads every kind of body."""
        if self._as_flask_has_it is None:
            self._as_flask_has_it = AnyRequest(self._environ)
        if self.longest_body is not None:
            self._as_flask_has_it.max_content_length = self.longest_body
        return self._as_flask_has_it

    @classmethod
    def of_flask(cls) -> Incoming:
        """That of the request which Flask is answering."""
        incoming = request.environ.get(KEPT_AS)
        if isinstance(incoming, cls):
            return incoming
        made = cls(request.environ, request.endpoint)
        made._as_flask_has_it = request._get_current_object()  # type: ignore[attr-defined]  # of the proxy
        return made.keep()

    def keep(self) -> Incoming:
        """Let whoever asks for it during this request get this one."""
        self._environ[KEPT_AS] = self
        return self


class Fields(MultiDict[str, str]):
    """The fields of a form, of which most are asked for and few are there: a missing one costs no exception."""

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]  # three in one
        """The first value of the field."""
        values = dict.get(self, key)
        return super().get(key, default, type) if type is not None else values[0] if values else default


@lru_cache(maxsize=100)
def _in_environ(name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}"


def too_large(limit: int | None) -> TooLarge:
    """The refusal of a body that is larger than the limit, in bytes."""
    return TooLarge(
        _("At most %(megabytes)s MB may be sent here.", megabytes=f"{limit / 1_048_576:.3g}") if limit else ""
    )


@dataclass(frozen=True)
class Answer:
    """The answer of an endpoint. headers: without those of every answer, which the doors add (`duties`)."""

    status: int = 200
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    @classmethod
    def of_json(
        cls, document: Any, status: int = 200, headers: tuple[Header, ...] = (), media_type: str = "application/json"
    ) -> Answer:
        body = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        return cls(status, (("Content-Type", media_type), *headers), body)

    @classmethod
    def of_text(cls, text: str, media_type: str, headers: tuple[Header, ...] = ()) -> Answer:
        return cls(200, (("Content-Type", media_type), *headers), text.encode())

    def with_headers(self, *added: Header) -> Answer:
        return Answer(self.status, (*self.headers, *added), self.body)


NOT_KEPT: Header = ("Cache-Control", "no-store")
