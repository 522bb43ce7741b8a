"""Addresses of a call that is passed on: the provider's for the caller's, and the way back for the answer's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from kernel.base.errors import BadRequest, _


def target(base_url: str, prefix: str, raw_uri: str) -> str:
    """The provider's address for a call: what follows the forwarder's own part of the address, as the caller wrote it.

    prefix: the path below which the provider is had here. raw_uri: the request's target before any decoding. Raises
    BadRequest for an address that could leave the provider's path, however it is written.
    """
    path, query_mark, query = _origin_form(raw_uri).partition("?")
    if path != prefix and not path.startswith(f"{prefix}/"):
        raise BadRequest(_("The beginning of the address has to be written as it is, not encoded."))
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


@dataclass(frozen=True)
class WayBack:
    """The way by which the caller reaches what a provider's answer refers to.

    base_url: the provider's. forwarder_url: ours, below which the provider is had. path: what was called below either.
    """

    base_url: str
    forwarder_url: str
    path: str = ""

    def of(self, reference: str) -> str | None:
        """The address by the forwarder; unchanged if it is no address of the provider's host (RFC 3986 4.2).

        None if it is one of that host but not below the base: by the forwarder nobody gets there, and the host itself
        is not for the caller to know.
        """
        base = urlsplit(self.base_url).path.rstrip("/")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", reference):
            if not self._is_at_provider(reference):
                return reference
            prefix, target = self.forwarder_url, re.sub(r"^[^/]*//[^/?#]*", "", reference)
        elif reference.startswith("/"):
            prefix, target = urlsplit(self.forwarder_url).path, reference
        elif self._means_the_same_here(reference):
            return reference
        else:
            prefix, target = (
                urlsplit(self.forwarder_url).path,
                f"{base}{self.path}".rpartition("/")[0] + "/" + reference,
            )
        below = re.fullmatch(rf"{re.escape(base)}((?:[/?#].*)?)", _without_dots(target), re.DOTALL)
        return prefix + below[1] if below else None

    def _means_the_same_here(self, reference: str) -> bool:
        """Whether a relative reference leads to the same place below the forwarder as below the provider."""
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
        for match in reversed(list(re.finditer(r"""^\s*<([^<>]*)>|;\s*anchor\s*=\s*"?([^";]*)""", link))):
            which = 1 if match[1] is not None else 2
            address = self.of(match[which])
            if address is None:
                return None
            link = link[: match.start(which)] + address + link[match.end(which) :]
        return link

    def of_refresh(self, value: str) -> str | None:
        """A Refresh header (HTML Living Standard 7.4.6), whose address is as `of` has it."""
        match = re.fullmatch(r"""([^;,]*[;,]\s*(?:[uU][rR][lL]\s*=\s*)?["']?)([^"']+)(["']?)""", value)
        if match is None:
            return value
        address = self.of(match[2])
        return None if address is None else match[1] + address + match[3]

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
    output: list[str] = []
    for segment, dots in zip(segments, plain, strict=True):
        if dots == "..":
            del output[max(1, len(output) - 1) :]
        elif dots != ".":
            output.append(segment)
    if plain[-1] in (".", ".."):
        output.append("")
    return "/".join(output) + rest


def _ports(port: int | None) -> tuple[int, ...]:
    return (0, 80, 443) if port in (None, 80, 443) else (port,)
