"""The duties of every request, in one list that both doors run (`docs/architecture/endpoints.md`).

What has to be done for every request stands here and nowhere else. A hook of Flask's own is for what only people's
pages need, and says so (`only_behind_flask`); `tests/portal/test_duties.py` fails on one that does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask, Response, request

from kernel.database.change_feed import hear_changes
from kernel.http.incoming import Header, Incoming
from kernel.http.rate_limit import count_against_limit, is_counted
from kernel.http.refusals import refuse_what_cannot_be_read
from kernel.http.request_log import name_request, tell_of_request
from kernel.http.security import headers_of_safety

Hook = TypeVar("Hook", bound=Callable[..., Any])


@dataclass
class Outgoing:
    """An answer about to be sent, to which duties add headers."""

    status: int
    headers: list[Header]
    names: set[str] = field(init=False)
    """Of the headers that the endpoint set, in lower case."""

    def __post_init__(self) -> None:
        self.names = {name.lower() for name, _ in self.headers}


@dataclass(frozen=True)
class Duty:
    """before: may raise a Problem, with which the request is answered. after: what it does last, the first one does."""

    before: Callable[[Incoming], None] | None = None
    after: Callable[[Incoming, Outgoing], None] | None = None


def _tell(incoming: Incoming, outgoing: Outgoing) -> None:
    outgoing.headers.append(tell_of_request(incoming, outgoing.status))


def _protect(incoming: Incoming, outgoing: Outgoing) -> None:
    outgoing.headers += headers_of_safety(incoming.path, outgoing.headers, outgoing.names)


def _add(incoming: Incoming, outgoing: Outgoing) -> None:
    outgoing.headers += incoming.headers_to_add


DUTIES = (
    Duty(before=refuse_what_cannot_be_read),
    Duty(before=name_request, after=_tell),
    Duty(before=count_against_limit),
    Duty(before=lambda _: hear_changes()),
    Duty(after=_protect),
    Duty(after=_add),
)
"""The limit of the body is kept by `Incoming` itself, and a bulkhead by whoever goes out to wait for others."""


def begin(incoming: Incoming) -> None:
    """Do what comes before the endpoint. Raises the Problem with which a request is refused."""
    for duty in DUTIES:
        if duty.before is not None:
            duty.before(incoming)


def finish(incoming: Incoming, status: int, headers: list[Header]) -> list[Header]:
    """All the headers of an answer that has these."""
    outgoing = Outgoing(status, headers)
    for duty in reversed(DUTIES):
        if duty.after is not None:
            duty.after(incoming, outgoing)
    return outgoing.headers


def only_behind_flask(why: str) -> Callable[[Hook], Hook]:
    """Mark a hook of Flask's that the direct door needs not, for the reason given."""

    def mark(hook: Hook) -> Hook:
        hook.only_behind_flask = why  # type: ignore[attr-defined]
        return hook

    return mark


def install_duties(app: Flask) -> None:
    """Let Flask run them. Call first: what other hooks do comes after the beginning, and before the end."""
    views = app.view_functions

    @app.before_request
    @only_behind_flask("it is how Flask's door runs the list")
    def begin_behind_flask() -> None:
        incoming = Incoming.of_flask()
        view = views.get(request.endpoint or "")
        incoming.is_counted = view is None or is_counted(view)
        begin(incoming)

    @app.after_request
    @only_behind_flask("it is how Flask's door runs the list")
    def finish_behind_flask(response: Response) -> Response:
        there = list(response.headers)
        for header in finish(Incoming.of_flask(), response.status_code, there)[len(response.headers) :]:
            response.headers.add(*header)
        return response
