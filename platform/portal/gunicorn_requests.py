"""A request as the house wants it read: what gunicorn would pass over in silence, or say in the middle of a view."""

from __future__ import annotations

from typing import Any

from gunicorn.http.body import Body
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request

from kernel.base.errors import _
from kernel.http.refusals import AmbiguousHeader
from portal.gunicorn_refusals import problem_of

PASSED_ON_BELOW = "/gateway/"
"""Requests below it go on to others with all that they have: nothing of them may be left out without a word."""


class CheckedBody(Body):
    """A body that asks for itself once it is read, and says in our words what is wrong with it.

    RFC 9110 10.1.1: who expects 100-continue waits to be asked, and sends nothing that would be refused.
    """

    def __init__(self, reader: Any, asked_through: Any) -> None:
        super().__init__(reader)
        self._asked_through = asked_through

    def _read_reader(self, size: int) -> bytes:
        """Raises BadRequest, and what the socket raises."""
        asked_through, self._asked_through = self._asked_through, None
        if asked_through is not None and asked_through.may_wait:
            asked_through.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            read: bytes = super()._read_reader(size)
        except ParseException as error:
            raise problem_of(error) from error
        return read


class CheckedRequest(Request):
    """Refused where gunicorn would drop a header of a request that is passed on."""

    body: Any
    _expected_100_continue: bool

    def _apply_header_policy(self, name: str, *given: Any, **named: Any) -> Any:
        """Raises AmbiguousHeader: programs behind us may take `X_A` for `X-A`, which others have checked."""
        if "_" in name and self.path.startswith(PASSED_ON_BELOW):
            raise AmbiguousHeader(_("The header is %(name)s.", name=name[:100]), log=name[:100])
        return super()._apply_header_policy(name, *given, **named)

    def set_body_reader(self) -> None:
        super().set_body_reader()
        self.body = CheckedBody(self.body.reader, self.unreader.sock if self._expected_100_continue else None)
        self._expected_100_continue = False
