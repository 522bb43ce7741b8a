"""A browser that signs people in: redirects, cookies and forms, the same for every peer.

Run as a program it reads an order from its input and writes figures: so that the generator is a process of its own,
apart from what it measures.
"""

from __future__ import annotations

import base64
import hashlib
import html
import http.client
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from benchmarks.figures import Load

FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.I | re.S)
FIELD = re.compile(r"<(input|button)\b[^>]*>", re.I)
ATTRIBUTE = re.compile(r"""\s([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")
NAME_OF_USER = re.compile("run|user|login|email|ident", re.I)
CONSENT = re.compile("accept|allow|approve|yes", re.I)
MOST_STEPS = 15
_addresses = count(1)


class FlowFailed(Exception):
    """A sign-in that did not end with tokens; the message says where it broke off."""


@dataclass(frozen=True)
class Order:
    """A load to make: on which provider, as which client and person, for how long, with or without a session."""

    authorization_endpoint: str
    token_endpoint: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scope: str
    users: Sequence[str]
    password: str
    seconds: float = 0
    warm_up_seconds: float = 0
    browsers: int = 4
    live_session: bool = False


@dataclass
class Browser:
    """One person's browser: its cookies, its connection, and the address that a proxy would report for it."""

    connection: http.client.HTTPConnection
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = field(default_factory=lambda: _an_address(next(_addresses)))

    def send(self, method: str, url: str, body: str | None = None, **headers: str) -> tuple[int, str, str]:
        """The status, the `Location` and the body."""
        parts = urlsplit(url)
        sent = {"Accept": "text/html,application/json", "X-Forwarded-For": self.address, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self.connection.request(method, f"{parts.path}?{parts.query}", body, sent)
            answer = self.connection.getresponse()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        content = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie", ()):
            self._keep(cookie)
        return answer.status, answer.headers.get("Location", ""), content

    def _keep(self, cookie: str) -> None:
        pair, _, attributes = cookie.partition(";")
        name, _, value = pair.partition("=")
        if value.strip('"') and "max-age=0" not in attributes.lower() and "01 jan 1970" not in attributes.lower():
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)


def _an_address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def sign_in(order: Order, browser: Browser, user: str) -> dict[str, Any]:
    """The whole code flow with PKCE, up to the tokens. Raises FlowFailed."""
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    state = secrets.token_hex(8)
    asked = {
        "response_type": "code",
        "client_id": order.client_id,
        "redirect_uri": order.redirect_uri,
        "scope": order.scope,
        "state": state,
        "nonce": secrets.token_hex(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    code = _code(order, browser, user, f"{order.authorization_endpoint}?{urlencode(asked)}", state)
    basic = base64.b64encode(f"{order.client_id}:{order.client_secret}".encode()).decode()
    exchanged = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": order.redirect_uri,
        "code_verifier": verifier,
    }
    # The application's server asks, not the browser: without its cookies.
    server = Browser(browser.connection, address=browser.address)
    status, _, body = server.send("POST", order.token_endpoint, urlencode(exchanged), Authorization=f"Basic {basic}")
    tokens: dict[str, Any] = json.loads(body) if status == 200 else {}
    if not tokens.get("access_token") or not tokens.get("id_token"):
        raise FlowFailed(f"token endpoint: {status} {body[:300]}")
    return tokens


def _code(order: Order, browser: Browser, user: str, url: str, state: str) -> str:
    method, body = "GET", None
    # The application sent the browser here.
    said = {"Sec-Fetch-Site": "cross-site"}
    for _ in range(MOST_STEPS):
        status, location, content = browser.send(method, url, body, **said)
        if 300 <= status < 400:
            url, method, body = urljoin(url, location), "GET", None
            if url.startswith(order.redirect_uri):
                given = parse_qs(urlsplit(url).query)
                if given.get("state") != [state] or "code" not in given:
                    raise FlowFailed(f"came back with {url}")
                return given["code"][0]
        elif status == 200:
            action, method, filled = filled_form(content, user, order.password)
            url, body = urljoin(url, action) if action else url, urlencode(filled)
            if method == "GET":
                url, body = f"{url}?{body}", None
            said = {"Sec-Fetch-Site": "same-origin", "Origin": _origin(url)}
        else:
            raise FlowFailed(f"{status} at {url} {content[:300]}")
    raise FlowFailed(f"no end after {MOST_STEPS} steps, at {url}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def filled_form(page: str, user: str, password: str) -> tuple[str, str, list[tuple[str, str]]]:
    """The page's sign-in or consent form, filled in: where it goes, by which method, its fields. Raises FlowFailed."""
    forms = sorted(FORM.findall(page), key=_likeliness)
    if not forms:
        raise FlowFailed(f"no form on the page: {page[:300]}")
    opening = _attributes(forms[-1][: forms[-1].index(">")])
    fields: list[tuple[str, str]] = []
    button: tuple[str, str] | None = None
    for found in FIELD.finditer(forms[-1]):
        about = _attributes(found[0])
        name, value = about.get("name", ""), about.get("value", "")
        kind = about.get("type", "submit" if found[1].lower() == "button" else "text").lower()
        if not name:
            continue
        if kind == "submit":
            button = (name, value) if button is None or CONSENT.search(value) else button
        elif kind == "password":
            fields.append((name, password))
        elif kind in ("checkbox", "radio"):
            fields += [(name, value or "on")] if "checked" in about else []
        elif kind != "hidden" and NAME_OF_USER.search(name):
            fields.append((name, user))
        else:
            fields.append((name, value))
    return opening.get("action", ""), opening.get("method", "get").upper(), [*fields, *([button] if button else [])]


def _likeliness(form: str) -> tuple[bool, bool, bool]:
    lower = form.lower()
    asks_who = any(f'name="{name}"' in lower for name in ("username", "login", "email", "user", "identifier"))
    return 'type="password"' in lower, asks_who, bool(CONSENT.search(lower))


def _attributes(tag: str) -> Mapping[str, str]:
    return {name.lower(): html.unescape(a or b or c) for name, a, b, c in ATTRIBUTE.findall(tag)}


def measure(order: Order) -> tuple[Load, str]:
    """Sign people in for as long as the order says, after a warm-up; what failed last, if anything did."""
    users = cycle(order.users)
    sessions = [
        (Browser(_connected(order)), next(users)) for _ in range(8 * order.browsers if order.live_session else 0)
    ]
    for browser, user in sessions:
        sign_in(order, browser, user)
        browser.connection.close()
    _load(order, users, sessions, order.warm_up_seconds)
    print("READY", flush=True)
    sys.stdin.readline()
    return _load(order, users, sessions, order.seconds)


def _load(
    order: Order, users: Iterator[str], sessions: Sequence[tuple[Browser, str]], seconds: float
) -> tuple[Load, str]:
    latencies: list[float] = []
    failures: list[str] = []
    began = time.monotonic()

    def keep_signing_in(mine: Sequence[tuple[Browser, str]]) -> None:
        connection, again = _connected(order), cycle(mine)
        while time.monotonic() < began + seconds:
            browser, user = next(again) if mine else (Browser(connection), next(users))
            browser.connection = connection
            sent = time.perf_counter()
            try:
                sign_in(order, browser, user)
            except (FlowFailed, OSError, http.client.HTTPException, ValueError) as error:
                failures.append(repr(error))
            else:
                latencies.append(1000 * (time.perf_counter() - sent))

    shares = [sessions[number :: order.browsers] for number in range(order.browsers)]
    threads = [threading.Thread(target=keep_signing_in, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load.of_latencies(latencies, time.monotonic() - began, len(failures)), "".join(failures[-1:])


def _connected(order: Order) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(order.token_endpoint).netloc, timeout=20)


def once(order: Order) -> dict[str, Any]:
    """One sign-in, for its tokens. Raises FlowFailed."""
    return sign_in(order, Browser(_connected(order)), order.users[0])


def _main() -> None:
    load, last_failure = measure(Order(**json.loads(sys.stdin.readline())))
    print(json.dumps({"load": asdict(load), "last_failure": last_failure}))


if __name__ == "__main__":
    _main()
