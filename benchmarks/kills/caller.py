"""A client over HTTP that does not give up: it asks again while the installation is away, as every good client does."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import httpx2

from benchmarks.kills.ledger import Ledger

PATIENCE_SECONDS = 180
AGAIN_SECONDS = 0.25
AWAY = (502, 503, 504, 429)
ANSWER_SECONDS = 60


class GaveUp(Exception):
    """The installation has been away for longer than anybody waits."""


class Caller:
    """Makes the requests of one thread and counts their answers."""

    def __init__(self, base_url: str, ledger: Ledger, work: str, ended: threading.Event) -> None:
        self.ledger, self.work, self.ended, self.base_url = ledger, work, ended, base_url
        headers = {"Sec-Fetch-Site": "same-origin"}
        self.http = httpx2.Client(base_url=base_url, headers=headers, timeout=ANSWER_SECONDS, follow_redirects=False)

    def once(self, method: str, path: str, **more: Any) -> httpx2.Response | None:
        """One attempt. None where nobody can know what became of it: no answer, or one that says so."""
        try:
            answer = self.http.request(method, path, **more)
        except httpx2.TransportError as error:
            self.ledger.count(self.work, type(error).__name__)
            return None
        self.ledger.count(self.work, self._told(answer))
        return None if answer.status_code in AWAY or answer.status_code == 500 else answer

    def until(self, ask: Callable[[], httpx2.Response | None]) -> httpx2.Response:
        """Ask until there is an answer. Raises GaveUp."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = ask()
            if answer is not None:
                return answer
            time.sleep(AGAIN_SECONDS)
        raise GaveUp(self.work)

    def surely(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Ask again and again, for what may be asked twice. Raises GaveUp."""
        return self.until(lambda: self.once(method, path, **more))

    def form(self, page: str, **fields: str) -> httpx2.Response | None:
        """Send the form of a page with all that it carries, once."""
        shown = self.surely("GET", page)
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown.text))
        return self.once("POST", page, data={**{name: unescape(value) for name, value in hidden.items()}, **fields})

    @staticmethod
    def _told(answer: httpx2.Response) -> str:
        is_ours = "X-Request-Id" in answer.headers
        return str(answer.status_code) if answer.status_code < 500 or is_ours else "bare"


def one(pattern: str, text: str) -> str:
    """The one group of a pattern in a page."""
    found = re.search(pattern, text)
    if found is None:
        raise LookupError(f"{pattern} is not in the page: {text[:2000]}")
    return unescape(found[1])
