"""The request id: one name for a request in every log line, audit record and answer."""

from __future__ import annotations

import re

from flask import g

from kernel.base.ids import new_id

HEADER = "X-Request-Id"
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current_request_id() -> str:
    """This request's name; for jobs and commands one of their own."""
    if "request_id" not in g:
        g.request_id = str(new_id())
    request_id: str = g.request_id
    return request_id


def take_request_id(theirs: str) -> None:
    """Call this request as the caller does, if that is a sane name."""
    if ACCEPTED.fullmatch(theirs):
        g.request_id = theirs
