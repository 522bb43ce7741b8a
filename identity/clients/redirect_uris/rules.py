"""Addresses that an application may be registered for: which are in order, and when two lead to one place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from kernel.base.errors import Invalid, _

MAX_URIS = 20
MAX_URI_CHARACTERS = 1_000
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def checked_uris(uris: Iterable[str], environment: str, named: str, *, required: bool) -> list[str]:
    """Redirect addresses that may be registered, each once. Raises Invalid with the fault of the first wrong one."""
    unique = list(dict.fromkeys(uri.strip() for uri in uris if uri.strip()))
    if required and not unique:
        raise Invalid(fields={named: [_("At least one address to return to.")]})
    if len(unique) > MAX_URIS:
        raise Invalid(fields={named: [_("At most %(count)s addresses.", count=MAX_URIS)]})
    for uri in unique:
        if fault := _fault_of(uri, environment):
            raise Invalid(fields={named: [_("%(uri)s: %(fault)s", uri=uri[:200], fault=fault)]})
    return unique


def _fault_of(uri: str, environment: str) -> Any:
    if not uri.isascii():
        return _("write it in ASCII: the host in its form with xn--, and other letters percent-encoded (RFC 3986)")
    parts = split_uri(uri)
    has_user = parts is not None and (parts.username is not None or parts.password is not None)
    # RFC 6749 3.1.2: the address must not include a fragment. RFC 9700 2.1: it is compared as it is, so no patterns.
    if "#" in uri or "*" in uri or has_user:
        return _("no fragment (#), no pattern (*) and no user name may be part of it")
    if parts is None:
        return _("this is not a full address, such as https://tramites.example.cl/entrada")
    if parts.scheme == "https":
        return None
    if parts.scheme == "http" and parts.hostname in LOOPBACK and environment == "sandbox":
        return None
    if environment == "sandbox":
        return _("RFC 9700 2.6: it must begin with https, or with http on this machine (localhost, 127.0.0.1)")
    return _("RFC 9700 2.6: it must begin with https")


def split_uri(uri: str) -> SplitResult | None:
    """The parts of an address, None for what browsers and we might read differently."""
    if len(uri) > MAX_URI_CHARACTERS or not re.fullmatch(r"[!-~]+", uri) or "\\" in uri:
        return None
    try:
        parts = urlsplit(uri)
        _port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in ("https", "http") and _is_host(parts) else None


def _is_host(parts: SplitResult) -> bool:
    """Whether everybody reads the host alike: browsers decode `%2e` in it, and know no zones (URL Standard 3.5)."""
    name = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            return not IPv6Address(name).scope_id
        except ValueError:
            return False
    return re.fullmatch(r"([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?", name) is not None


def origins_of(uris: Iterable[str]) -> frozenset[str]:
    """The origins of registered addresses as browsers write them (RFC 6454 6.2): in lower case, no usual port."""
    parts = [split_uri(uri) for uri in uris]
    return frozenset(_origin(one) for one in parts if one is not None and one.hostname)


def _origin(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")


def same_authority(uri: str, registered: Iterable[str]) -> bool:
    """Whether `uri` leads to the scheme, host and port of a registered address."""
    parts = split_uri(uri)
    if parts is None or parts.username is not None or parts.password is not None:
        return False
    known = [split_uri(one) for one in registered]
    return any(
        one is not None and (one.scheme, one.hostname, one.port) == (parts.scheme, parts.hostname, parts.port)
        for one in known
    )
