"""The gateway: which parts of a call pass, under which name it is counted, and who failed when it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import unquote, urlsplit
from uuid import UUID

from kernel.errors import BadRequest

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_ANSWER_BYTES = 100 * 1024 * 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LONGEST_TARGET = 8_000

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
# The caller's secrets are for this house only, and who calls is said by this house only.
KEPT_FROM_PROVIDER = frozenset(
    {"authorization", "cookie", "host", "content-length", "expect", "forwarded", "via", "x-real-ip", "x-request-id"}
)
# The provider answers under this house's name: it may set no cookie here nor speak for the gateway.
KEPT_FROM_CONSUMER = frozenset(
    {"set-cookie", "clear-site-data", "strict-transport-security", "date", "server", "x-request-id"}
)
OURS = ("x-cordillera-", "cordillera-")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Failure(StrEnum):
    """Who failed, as the header `Cordillera-Error` says it."""

    PROVIDER = "provider"
    GATEWAY = "gateway"


def trace_name(consumer: str, call: UUID) -> str:
    """The call's name for everyone: the consumer's code and 26 characters as a ULID has, in the order of time."""
    number, letters = call.int, []
    for _position in range(26):
        letters.append(CROCKFORD[number & 31])
        number >>= 5
    return f"{consumer}.{''.join(reversed(letters))}"


def for_provider(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The caller's headers that pass."""
    given = list(headers)
    dropped = HOP_BY_HOP | KEPT_FROM_PROVIDER | _named_by_connection(given)
    return [
        (name, value)
        for name, value in given
        if name.lower() not in dropped and not name.lower().startswith((*OURS, "x-forwarded-"))
    ]


def for_consumer(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The provider's headers that pass."""
    given = list(headers)
    dropped = HOP_BY_HOP | KEPT_FROM_CONSUMER | _named_by_connection(given)
    return [(name, value) for name, value in given if name.lower() not in dropped and not name.lower().startswith(OURS)]


def _named_by_connection(headers: list[tuple[str, str]]) -> set[str]:
    named = (value for name, value in headers if name.lower() == "connection")
    return {part.strip().lower() for value in named for part in value.split(",")}


def target(base_url: str, prefix: str, raw_uri: str) -> str:
    """The provider's address for a call: what follows the gateway's own part of the address, as the caller wrote it.

    prefix: `/gateway/<service>/<version>`. raw_uri: the request's target before any decoding. Raises BadRequest for an
    address that could leave the provider's path, however it is written.
    """
    path, query_mark, query = _origin_form(raw_uri).partition("?")
    if path != prefix and not path.startswith(f"{prefix}/"):
        raise BadRequest(log="the path does not begin as it was routed")
    rest = path.removeprefix(prefix)
    if len(raw_uri) > LONGEST_TARGET or not re.fullmatch(r"[!-~]*", rest + query) or "#" in rest + query:
        raise BadRequest(log="characters that no address has")
    if _climbs(rest):
        raise BadRequest(log="dot segments in the path")
    return f"{base_url}{rest}{query_mark}{query}"


def _origin_form(raw_uri: str) -> str:
    """RFC 9112 3.2.2: a proxy's client may send the whole address; the path and query of it count."""
    if raw_uri.startswith("/"):
        return raw_uri
    try:
        parts = urlsplit(raw_uri)
    except ValueError:
        raise BadRequest(log="not an address") from None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _climbs(path: str) -> bool:
    """Whether any reading of the path, decoded once or more, has a `.` or `..` segment."""
    for _reading in range(4):
        if any(segment.partition(";")[0] in (".", "..") for segment in re.split(r"[/\\]", path)):
            return True
        decoded = unquote(path)
        if decoded == path:
            return bool(re.search(r"[\x00-\x1f\x7f]", path))
        path = decoded
    return True
