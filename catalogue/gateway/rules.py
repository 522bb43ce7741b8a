"""The gateway: which parts of a call pass, how calls are named and counted, and who failed when one fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from urllib.parse import unquote, urlsplit
from uuid import UUID

from kernel.base.errors import BadGateway, BadRequest, Problem, TooMany, _

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_ANSWER_BYTES = 100 * 1024 * 1024
# RFC 9110 9; RFC 5789; the QUERY method; RFC 2068 19.6.1 (LINK); RFC 4918, 3253, 3744, 5323 (WebDAV). Neither CONNECT,
# which would be a tunnel, nor TRACE, which sends back what a proxy has added.
METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "LINK", "UNLINK"),
    *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "ACL", "SEARCH"),
)
STREAMS = ("text/event-stream", "application/x-ndjson", "application/json-seq", "application/stream+json")
"""Answers whose reader waits for what comes next: nothing of them is held back, and silence is part of them."""
STREAM_SILENT_SECONDS = 60.0
"""HTML Living Standard 9.2.7 advises a comment every 15 seconds."""
STREAM_SECONDS = 3600.0
LONGEST_TARGET = 8_000
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
# The caller's secrets are for this house only, and who calls is said by this house only.
KEPT_FROM_PROVIDER = frozenset(
    {"authorization", "cookie", "host", "content-length", "expect", "forwarded", "via", "x-real-ip", "x-request-id"}
)
# The provider answers under this house's name: it speaks neither for the gateway nor for the whole origin,
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
KEPT_FROM_CONSUMER = SAID_BY_THIS_HOUSE | OF_THE_WHOLE_ORIGIN
OURS = ("x-cordillera-", "cordillera-")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Failure(StrEnum):
    """The party that failed, as the header `Cordillera-Error` names it."""

    PROVIDER = "provider"
    GATEWAY = "gateway"


class DailyCallsUsed(TooMany):
    """The agreement's calls of today have been made."""

    kind = "daily-calls-used"
    title = _("Today's calls have been used up")
    explanation = _(
        "The agreement sets how many calls may be made per day, and all of them have been made since midnight."
    )
    remedy = _(
        "Wait until midnight in Chile (Retry-After), or ask the service's owner for an agreement with more calls."
    )


class NoUpgrade(Problem):
    """The caller wants to go on in another protocol."""

    kind = "no-upgrade"
    status = 501
    title = _("The gateway passes HTTP only")
    explanation = _("A connection cannot be turned into a WebSocket through the gateway.")
    remedy = _("Use the service's HTTP operations; events can come as an event stream (text/event-stream).")


class NotForPages(Problem):
    """A browser asks on behalf of another site's page whether it may call."""

    kind = "not-for-pages"
    status = 403
    title = _("The gateway is called by servers, not by pages in a browser")
    explanation = _(
        "A browser asked whether a page of another site may call (CORS). A call needs the credentials of an agreement,"
        " and a page cannot keep them secret."
    )
    remedy = _("Let your page call a server of yours, and that server call the gateway.")


@dataclass(frozen=True)
class DailyCalls:
    """How many of a day's calls have been made, the one at hand counted, and for how many seconds the day lasts."""

    limit: int
    used: int
    seconds_left: int

    def headers(self) -> dict[str, str]:
        """The limit and what is left of it, as draft-ietf-httpapi-ratelimit-headers-10 has it."""
        left = max(self.limit - self.used, 0)
        return {
            "RateLimit-Policy": f'"agreement";q={self.limit};w=86400',
            "RateLimit": f'"agreement";r={left};t={self.seconds_left}',
        }


def seconds_to_midnight(local: datetime) -> int:
    """How long the day of a local time still lasts; it may have 23 or 25 hours."""
    tomorrow = datetime.combine(local.date() + timedelta(days=1), time(), local.tzinfo)
    return max(round(tomorrow.timestamp() - local.timestamp()), 1)


def trace_id(consumer: str, call: UUID) -> str:
    """The call's name for everyone: the consumer's code and 26 characters as a ULID has, in the order of time."""
    number, letters = call.int, []
    for _position in range(26):
        letters.append(CROCKFORD[number & 31])
        number >>= 5
    return f"{consumer}.{''.join(reversed(letters))}"


def upstream_headers(headers: Iterable[tuple[str, str]], base_url: str, prefix: str) -> list[tuple[str, str]]:
    """The caller's headers that pass. base_url, prefix: as `target` has them. Raises BadRequest."""
    given = list(headers)
    dropped = HOP_BY_HOP | KEPT_FROM_PROVIDER | _named_by_connection(given)
    return [
        (name, _destination(value, base_url, prefix) if name.lower() == "destination" else value)
        for name, value in given
        if name.lower() not in dropped and not name.lower().startswith((*OURS, "x-forwarded-"))
    ]


def _destination(value: str, base_url: str, prefix: str) -> str:
    """RFC 4918 10.3: where COPY and MOVE put it, which the provider knows by its own address."""
    try:
        return target(base_url, prefix, value)
    except Problem as error:
        raise BadRequest(_("The Destination header has to be an address of the same service."), log=error.log) from None


def downstream_headers(headers: Iterable[tuple[str, str]], way_back: WayBack) -> list[tuple[str, str]]:
    """The provider's headers that pass; what in them leads to the provider leads to it by the gateway.

    Raises BadGateway for a value that no header may have.
    """
    given = [(name, value, name.lower()) for name, value in headers]
    for name, value, _lower in given:
        if not FIELD_VALUE.fullmatch(value):
            raise BadGateway(log=f"the header {name} has a control character")
    dropped = HOP_BY_HOP | KEPT_FROM_CONSUMER | _named_by_connection((name, value) for name, value, _ in given)
    # RFC 9112 6.3: Transfer-Encoding overrides Content-Length, which is not passed on beside it.
    if any(lower == "transfer-encoding" for _, _, lower in given):
        dropped |= {"content-length"}
    passed = []
    for name, value, lower in given:
        if lower in dropped or lower.startswith((*OURS, *COMMANDS_TO_A_PROXY)):
            continue
        changed = LEADING_SOMEWHERE[lower](way_back, value) if lower in LEADING_SOMEWHERE else value
        if changed is not None:
            passed.append((name, changed))
    return passed


def is_stream(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether the answer goes on piece by piece for as long as its reader likes, as server-sent events do."""
    types = (value for name, value in headers if name.lower() == "content-type")
    return any(value.partition(";")[0].strip().lower() in STREAMS for value in types)


@dataclass(frozen=True)
class WayBack:
    """How the consumer reaches what a provider's answer refers to.

    base_url: the provider's, as registered. gateway_url: ours, `https://…/gateway/<service>/<version>`. path: what was
    asked for below either.
    """

    base_url: str
    gateway_url: str
    path: str = ""

    def of(self, reference: str) -> str | None:
        """The address by the gateway; unchanged if it is no address of the provider's host (RFC 3986 4.2).

        None if it is one of that host but not below the base: by the gateway nobody gets there, and the host itself is
        not for the consumer to know.
        """
        base = urlsplit(self.base_url).path.rstrip("/")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", reference):
            if not self._is_at_provider(reference):
                return reference
            prefix, asked = self.gateway_url, re.sub(r"^[^/]*//[^/?#]*", "", reference)
        elif reference.startswith("/"):
            prefix, asked = urlsplit(self.gateway_url).path, reference
        elif self._means_the_same_here(reference):
            return reference
        else:
            prefix, asked = urlsplit(self.gateway_url).path, f"{base}{self.path}".rpartition("/")[0] + "/" + reference
        below = re.fullmatch(rf"{re.escape(base)}((?:[/?#].*)?)", _without_dots(asked), re.DOTALL)
        return prefix + below[1] if below else None

    def _means_the_same_here(self, reference: str) -> bool:
        """Whether a relative reference leads to the same place below the gateway's address as below the provider's."""
        path = re.split("[?#]", reference, maxsplit=1)[0]
        return not path or ("/" in self.path and _without_dots(path) == path)

    def of_links(self, links: str) -> str | None:
        """A Link header (RFC 8288 3), each of whose addresses is as `of` has it; links that lead nowhere are left out.

        None if none is left.
        """
        passed = [link for each in _split_links(links) if (link := self._of_link(each)) is not None]
        return ",".join(passed).lstrip() if passed else None

    def _of_link(self, link: str) -> str | None:
        """One link: its target, and its context if it names another one."""
        for found in reversed(list(re.finditer(r"""^\s*<([^<>]*)>|;\s*anchor\s*=\s*"?([^";]*)""", link))):
            which = 1 if found[1] is not None else 2
            address = self.of(found[which])
            if address is None:
                return None
            link = link[: found.start(which)] + address + link[found.end(which) :]
        return link

    def of_refresh(self, value: str) -> str | None:
        """A Refresh header (HTML Living Standard 7.4.6), whose address is as `of` has it."""
        found = re.fullmatch(r"""([^;,]*[;,]\s*(?:[uU][rR][lL]\s*=\s*)?["']?)([^"']+)(["']?)""", value)
        if found is None:
            return value
        address = self.of(found[2])
        return None if address is None else found[1] + address + found[3]

    def _is_at_provider(self, reference: str) -> bool:
        """Whether the reference names the provider's host.

        Either default port is as good as the other: behind a proxy many do not know which one is theirs.
        """
        base = urlsplit(self.base_url)
        try:
            parts = urlsplit(reference)
            port = parts.port
        except ValueError:
            return False
        is_http = parts.scheme in ("http", "https", "")
        return is_http and parts.hostname == base.hostname and (port or 0) in _ports(base.port)


LEADING_SOMEWHERE: dict[str, Callable[[WayBack, str], str | None]] = {
    "location": WayBack.of,
    "content-location": WayBack.of,
    "link": WayBack.of_links,
    "refresh": WayBack.of_refresh,
}
"""Headers of an answer that have addresses in them."""


def _split_links(links: str) -> Iterator[str]:
    """The links of a Link header; commas in addresses and between quotes do not part them."""
    start, closing = 0, ""
    for place, letter in enumerate(links):
        if closing:
            closing = "" if letter == closing else closing
        elif letter in '<"':
            closing = ">" if letter == "<" else letter
        elif letter == ",":
            yield links[start:place]
            start = place + 1
    yield links[start:]


def _without_dots(reference: str) -> str:
    """The reference without the dot segments of its path, as its reader will take them out (RFC 3986 5.2.4).

    Readers also take `%2e` for a dot (URL Living Standard 4.4).
    """
    path, rest = re.fullmatch(r"([^?#]*)(.*)", reference, re.DOTALL).groups()  # type: ignore[union-attr]  # any text
    segments = path.split("/")
    plain = [re.sub("%2e", ".", segment, flags=re.IGNORECASE) for segment in segments]
    if not {".", ".."} & set(plain):
        return reference
    kept: list[str] = []
    for segment, dots in zip(segments, plain, strict=True):
        if dots == "..":
            del kept[max(1, len(kept) - 1) :]
        elif dots != ".":
            kept.append(segment)
    if plain[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) + rest


def _ports(port: int | None) -> tuple[int, ...]:
    return (0, 80, 443) if port in (None, 80, 443) else (port,)


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> set[str]:
    named = (value for name, value in headers if name.lower() == "connection")
    return {part.strip().lower() for value in named for part in value.split(",")}


def target(base_url: str, prefix: str, raw_uri: str) -> str:
    """The provider's address for a call: what follows the gateway's own part of the address, as the caller wrote it.

    prefix: `/gateway/<service>/<version>`. raw_uri: the request's target before any decoding. Raises BadRequest for an
    address that could leave the provider's path, however it is written.
    """
    path, query_mark, query = _origin_form(raw_uri).partition("?")
    if path != prefix and not path.startswith(f"{prefix}/"):
        raise BadRequest(_("The service and its version have to be written as they are, not encoded."))
    rest = path.removeprefix(prefix)
    if not re.fullmatch(r"[!-~]*", rest + query) or "#" in rest + query:
        raise BadRequest(_("The address has characters that have to be percent-encoded (RFC 3986)."))
    if _climbs(rest):
        raise BadRequest(_("The path may have no . or .. segments and no control characters, encoded or not."))
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
