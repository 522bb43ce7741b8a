"""Headers of a call that is passed on: which of them pass, to the provider and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kernel.base.errors import BadGateway, BadRequest, Problem, _
from kernel.outside.forwarding.addresses import WayBack, target

Headers = Iterable[tuple[str, str]]

STREAMS = ("text/event-stream", "application/x-ndjson", "application/json-seq", "application/stream+json")
"""Answers whose reader waits for what comes next: nothing of them is held back, and silence is part of them."""
# RFC 9110 5.5: a value has no control characters but the tab.
FIELD_VALUE = re.compile(r"[\t -~\x80-\xff]*")


# RFC 9110 7.6.1: these belong to one connection and are not passed on; so are those that Connection itself names.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# The caller's secrets are for this house only,
CALLERS_SECRETS = frozenset({"authorization", "cookie"})
# and who calls is said by this house only.
SAID_TO_PROVIDER = frozenset({"host", "content-length", "expect", "forwarded", "via", "x-real-ip", "x-request-id"})
# The provider answers under this house's name: it speaks neither for the forwarder nor for the whole origin,
SAID_BY_THIS_HOUSE = frozenset({"date", "server", "x-request-id"})
OF_THE_WHOLE_ORIGIN = frozenset(
    {
        "accept-ch",
        "activate-storage-access",
        "alt-svc",
        "clear-site-data",
        "critical-ch",
        "expect-ct",
        "nel",
        "origin-agent-cluster",
        "origin-trial",
        "public-key-pins",
        "public-key-pins-report-only",
        "report-to",
        "reporting-endpoints",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "set-login",
        "strict-transport-security",
    }
)
# nor does it command the web server that may stand before us, which would send files of its own for these.
COMMANDS_TO_A_PROXY = ("x-accel-", "x-sendfile", "x-lighttpd-send", "x-litespeed-", "x-reproxy-")
KEPT_FROM_CALLER = SAID_BY_THIS_HOUSE | OF_THE_WHOLE_ORIGIN
LEADING_SOMEWHERE: dict[str, Callable[[WayBack, str], str | None]] = {
    "location": WayBack.of,
    "content-location": WayBack.of,
    "link": WayBack.of_links,
    "refresh": WayBack.of_refresh,
}
"""Headers of an answer that have addresses in them."""


@dataclass(frozen=True)
class HeaderRules:
    """Headers that a forwarder has for itself, by their names in lower case."""

    own: tuple[str, ...]
    """Beginnings of the names that nobody but the forwarder says, to either side."""
    withheld: frozenset[str] = CALLERS_SECRETS
    """Headers of the caller's that are meant for the forwarder."""


def upstream_headers(headers: Headers, rules: HeaderRules, base_url: str, prefix: str) -> list[tuple[str, str]]:
    """The caller's headers that pass. base_url, prefix: as `target` has them. Raises BadRequest."""
    given = list(headers)
    dropped = HOP_BY_HOP | SAID_TO_PROVIDER | rules.withheld | _named_by_connection(given)
    return [
        (name, _destination(value, base_url, prefix) if name.lower() == "destination" else value)
        for name, value in given
        if name.lower() not in dropped and not name.lower().startswith((*rules.own, "x-forwarded-"))
    ]


def _destination(value: str, base_url: str, prefix: str) -> str:
    """RFC 4918 10.3: where COPY and MOVE put it, which the provider knows by its own address."""
    try:
        return target(base_url, prefix, value)
    except Problem as error:
        raise BadRequest(_("The Destination header has to be an address of the same service."), log=error.log) from None


def downstream_headers(headers: Headers, rules: HeaderRules, way_back: WayBack) -> list[tuple[str, str]]:
    """The provider's headers that pass; what in them leads to the provider leads to it by the forwarder.

    Raises BadGateway for a value that no header may have.
    """
    given = [(name, value, name.lower()) for name, value in headers]
    for name, value, _lower in given:
        if not FIELD_VALUE.fullmatch(value):
            raise BadGateway(log=f"the header {name} has a control character")
    dropped = HOP_BY_HOP | KEPT_FROM_CALLER | _named_by_connection((name, value) for name, value, _ in given)
    # RFC 9112 6.3: Transfer-Encoding overrides Content-Length, which is not passed on beside it.
    if any(lower == "transfer-encoding" for _, _, lower in given):
        dropped |= {"content-length"}
    passed = []
    for name, value, lower in given:
        if lower in dropped or lower.startswith((*rules.own, *COMMANDS_TO_A_PROXY)):
            continue
        changed = LEADING_SOMEWHERE[lower](way_back, value) if lower in LEADING_SOMEWHERE else value
        if changed is not None:
            passed.append((name, changed))
    return passed


def is_stream(headers: Headers) -> bool:
    """Whether the answer goes on piece by piece for as long as its reader likes, as server-sent events do."""
    types = (value for name, value in headers if name.lower() == "content-type")
    return any(value.partition(";")[0].strip().lower() in STREAMS for value in types)


def _named_by_connection(headers: Headers) -> set[str]:
    named = (value for name, value in headers if name.lower() == "connection")
    return {part.strip().lower() for value in named for part in value.split(",")}
