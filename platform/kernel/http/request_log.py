"""The log of requests: an identifier for the caller, a line in the log, a count and its time in the metrics."""

from __future__ import annotations

import time

from kernel.base.logs import tell_request
from kernel.base.request_id import HEADER, current_request_id, take_request_id
from kernel.http.incoming import Header, Incoming
from kernel.recording.metrics import count_request


def name_request(incoming: Incoming) -> None:
    """Call it as the caller does, if that is a sane name; the same behind both doors."""
    incoming.began = incoming.began or time.perf_counter()
    take_request_id(incoming.request_id or incoming.header(HEADER))
    incoming.request_id = current_request_id()


def tell_of_request(incoming: Incoming, status: int) -> Header:
    """The header with its name. It is answered now, and told of in the log and in the metrics."""
    # Who fails before anything has begun, as with a host that is none, has taken no time.
    seconds = time.perf_counter() - incoming.began if incoming.began is not None else 0.0
    tell_request(incoming.method, incoming.path, status, seconds)
    count_request(incoming.endpoint or "none", incoming.method, status, seconds)
    return HEADER, incoming.request_id or current_request_id()
