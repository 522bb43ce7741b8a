"""Calls to addresses that others chose: only to public machines, within limits of time and size.

A name is resolved once, at the moment of connecting, and the connection goes to the address that was checked, so an
answer of the DNS that changes in between changes nothing. Redirects are never followed and the environment's proxies
are not used. `settings.outbound_allowed` names the `host:port` that may be private all the same.

Inside an action nothing of this is to be had, not even a look at the DNS: others would wait for its rows meanwhile.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import httpcore2
import httpx2

from kernel.base.errors import BadGateway, GatewayTimeout, Invalid, _
from kernel.base.installation import settings
from kernel.base.slots import Slot
from kernel.outside.bulkheads import Place, outward_calls
from kernel.recording.work import refuse_in_action

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
TOTAL_SECONDS = 120.0
CONNECTIONS = 100
KEPT_IDLE_SECONDS = 1.0
"""The longest idle time of a kept connection, in seconds. It is shorter than common servers keep one (gunicorn 2 s,
Node and Apache 5 s): one on which nothing was said for longer may be closed by the other side at the very moment of a
call.
"""
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "QUERY", "PROPFIND", "REPORT", "SEARCH"})
"""RFC 9110 9.2.2, RFC 4918 9, RFC 3253 3.6, RFC 5323 2: methods of which a second call does no more than the first."""
Body = bytes | Iterable[bytes] | None
Headers = Mapping[str, str] | Sequence[tuple[str, str]]

# It would write every address with its parameters, which may be personal data, into the log.
logging.getLogger("httpx2").setLevel(logging.WARNING)

# Addresses of version 6 that only stand for one of version 4 behind a translator: NAT64, 6to4, Teredo, IPv4-compatible.
TRANSLATED = tuple(
    ipaddress.ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)


class AddressRefused(Invalid):
    """The address is not one that outward calls may reach."""

    kind = "address-refused"
    title = _("This address cannot be called from here")
    explanation = _("Only public addresses are called: not this machine, not a private network, and only over https.")
    remedy = _("Give a public https address. For a test on one machine the operator can allow a private one.")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet. What cannot be read as an address does not."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in network for network in TRANSLATED):
            return False
    special = (
        ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_reserved or ip.is_multicast or ip.is_unspecified
    )
    return ip.is_global and not special


def check_url(url: str) -> None:
    """Refuse an address before storing it. A name that does not resolve today passes: every call checks again.

    Raises AddressRefused, and RuntimeError in an action.
    """
    refuse_in_action()
    host, port = _host_and_port(url)
    if f"{host}:{port}" in settings().outbound_allowed:
        return
    if urlsplit(url).scheme != "https":
        raise AddressRefused(_("The address must start with https://."))
    with outward_calls().take("look-up", host):
        try:
            addresses = _resolve(host, port)
        except OSError:
            return
    _refuse_private(host, addresses)


def send(
    method: str,
    url: str,
    *,
    headers: Headers = (),
    content: Body = None,
    timeout: float = READ_SECONDS,
    place: Place | None = None,
) -> httpx2.Response:
    """Call and return the answer as soon as its headers are there; read it with `chunks` or `read`, and close it.

    Exactly the headers given are sent, and Host. timeout: seconds that the other side may be silent. Never follows a
    redirect. place: the one to wait in, where it has been taken already; it is given back when the answer is closed.
    Raises AddressRefused, BadGateway, GatewayTimeout, Saturated, and RuntimeError in an action.
    """
    refuse_in_action()
    host, port = _host_and_port(url)
    if urlsplit(url).scheme != "https" and f"{host}:{port}" not in settings().outbound_allowed:
        raise AddressRefused(_("The address must start with https://."))
    limits = httpx2.Timeout(timeout, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
    place = place or outward_calls().take("look-up", f"{host}:{port}")
    try:
        response = _answer(method, url, headers, content, limits)
    except BaseException:
        place.release()
        raise
    response.stream = _Holding(response.stream, place)
    return response


def _answer(method: str, url: str, headers: Headers, content: Body, limits: httpx2.Timeout) -> httpx2.Response:
    sent, extensions = _headers(headers), {"timeout": limits.as_dict(), **_exact_target(url)}
    try:
        request = httpx2.Request(method, url, headers=sent, content=content, extensions=extensions)
        return _dispatch(request, repeatable=content is None and method in IDEMPOTENT)
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError) as error:
        raise AddressRefused(log=repr(error)) from error
    except httpx2.TimeoutException as error:
        raise GatewayTimeout(log=repr(error)) from error
    except httpx2.HTTPError as error:
        raise BadGateway(log=repr(error)) from error


def _exact_target(url: str) -> dict[str, bytes]:
    """Path and query octet by octet, where they are an address's (RFC 3986 2); httpx2 would encode some for us."""
    match = re.fullmatch(r"https?://[^/?#]*(/[!-~]*|)", url.partition("#")[0], re.IGNORECASE)
    return {"target": match[1].encode()} if match and match[1] else {}


def _dispatch(request: httpx2.Request, repeatable: bool) -> httpx2.Response:
    """Send. What a kept connection loses, because the other side closed it meanwhile, is repeated on a new one.

    RFC 9110 9.2.2: only what is idempotent may be sent again without being asked.
    """
    seen: set[str] = set()

    def note(event: str, _info: Any) -> None:
        seen.add(event)
        if event.startswith("http11.receive_response_headers."):
            _waiting.until = time.monotonic() + TOTAL_SECONDS if event.endswith(".started") else None

    request.extensions["trace"] = note
    try:
        return _client("kept").send(request, stream=True)
    except (httpx2.NetworkError, httpx2.RemoteProtocolError):
        if "connection.connect_tcp.started" in seen or not repeatable:
            raise
        return _client("fresh").send(request, stream=True)


def allow_silence(response: httpx2.Response, seconds: float) -> None:
    """Let the other side be silent for so long between two pieces of its answer; before the first piece is read."""
    response.request.extensions["timeout"]["read"] = seconds


class _Holding(httpx2.SyncByteStream):
    """An answer's body, which holds a place among those that wait until it is closed."""

    def __init__(self, stream: Any, place: Place) -> None:
        self._stream, self._place = stream, place

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._place.release()


def chunks(response: httpx2.Response, limit: int, seconds: float = TOTAL_SECONDS) -> Iterator[bytes]:
    """The answer's body as it came over the wire, not decompressed.

    Raises BadGateway beyond `limit` bytes, GatewayTimeout beyond `seconds`.
    """
    read, end = 0, time.monotonic() + seconds
    try:
        if _announced(response) > limit:
            raise BadGateway(_("The answer is larger than is allowed."), log=f"announces more than {limit} bytes")
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > limit:
                raise BadGateway(_("The answer is larger than is allowed."), log=f"more than {limit} bytes")
            if time.monotonic() > end:
                raise GatewayTimeout(log=f"more than {seconds} seconds")
            yield chunk
    except httpx2.TimeoutException as error:
        raise GatewayTimeout(log=repr(error)) from error
    except httpx2.HTTPError as error:
        raise BadGateway(log=repr(error)) from error
    finally:
        response.close()


def _announced(response: httpx2.Response) -> int:
    """The length that the body is said to have; 0 where it is not said, or there is none (RFC 9110 8.6)."""
    length = response.headers.get("Content-Length", "")
    has_body = response.request.method != "HEAD" and response.status_code != 304
    return int(length) if has_body and re.fullmatch("[0-9]{1,20}", length) else 0


def read(response: httpx2.Response, limit: int, seconds: float = TOTAL_SECONDS) -> bytes:
    """The whole body of a small answer. Raises as `chunks` does."""
    return b"".join(chunks(response, limit, seconds))


def _headers(given: Headers) -> list[tuple[bytes, bytes]]:
    pairs = given.items() if isinstance(given, Mapping) else given
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise AddressRefused(log="not an http address") from error
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise AddressRefused(log="no host, or a user in the address")
    return parts.hostname, port


def _resolve(host: str, port: int) -> list[str]:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError("not a host name") from error
    return [str(address[4][0]) for address in addresses]


def _refuse_private(host: str, addresses: list[str]) -> None:
    """One private address among public ones is refused too: which of them would be called is chance."""
    private = [address for address in addresses if not is_public(address)]
    if private or not addresses:
        raise AddressRefused(log=f"{host} leads to {', '.join(private)}")


class _CheckedNetwork(httpcore2.NetworkBackend):
    """Connects to the very address that was checked; the name stays for TLS and for the Host header."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = _resolve(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} does not resolve") from error
        if f"{host}:{port}" not in self._allowed:
            _refuse_private(host, addresses)
        return self._first(addresses, port, timeout, socket_options)

    def _first(
        self, addresses: list[str], port: int, timeout: float | None, socket_options: Iterable[Any] | None
    ) -> httpcore2.NetworkStream:
        """The first address that answers, as `socket.create_connection` would try them."""
        failure: Exception = httpcore2.ConnectError("no address")
        for address in addresses:
            try:
                connected = self._sockets.connect_tcp(address, port, timeout, socket_options=socket_options)
                return _BoundedStream(connected)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


_waiting = threading.local()
"""`until`: how long this thread waits for the headers of an answer."""


class _BoundedStream(httpcore2.NetworkStream):
    """A connection on which the headers of an answer have to come in time, however they drip."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self.write, self.close, self.get_extra_info = stream.write, stream.close, stream.get_extra_info  # type: ignore[method-assign]  # as they are

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        until: float | None = getattr(_waiting, "until", None)
        if until is not None:
            left = until - time.monotonic()
            if left <= 0:
                raise httpcore2.ReadTimeout(f"the headers did not come within {TOTAL_SECONDS} seconds")
            timeout = min(left, READ_SECONDS if timeout is None else timeout)
        return self._stream.read(max_bytes, timeout)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))


CLIENTS: Slot[dict[str, httpx2.Client]] = Slot("outbound", dict)


def _client(connections: Literal["kept", "fresh"]) -> httpx2.Client:
    """One of this application's two clients: on connections that are kept for a while, or on a new one for each call.

    A connection is used again for its own host name only: nobody answers for another.
    """
    clients = CLIENTS()
    if connections not in clients:
        context = ssl.create_default_context()
        transport = httpx2.HTTPTransport(verify=context, trust_env=False)
        # httpx2 does not hand its network layer on; httpcore2, beneath it, is made for this.
        transport._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=20 if connections == "kept" else 0,
            keepalive_expiry=KEPT_IDLE_SECONDS,
            network_backend=_CheckedNetwork(settings().outbound_allowed),
        )
        clients[connections] = httpx2.Client(transport=transport, trust_env=False, follow_redirects=False)
    return clients[connections]
