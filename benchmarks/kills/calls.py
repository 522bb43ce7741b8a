"""Agreements and calls: an agency asks for a service, the owner agrees, its system calls, and the agreement ends."""

from __future__ import annotations

import re

import httpx2

from benchmarks.kills.caller import Caller, one

OWNER, CONSUMER = ("88.888.888-8", "AE002"), ("99.999.999-9", "AE003")
CALLS_EACH = 20
PURPOSE = {"purpose": "Probar", "legal_basis": "Ley 19.880, art. 5", "personal_data": "no", "daily_calls": "100000"}
LISTED = r'href="/agency/agreements/([A-Z]+-[^"/?]+)"'
COPIED = r"<pre[^>]*><code>([^<]+)</code></pre>"
TRACE = "Cordillera-Trace"


class Parties:
    """The publishers of both agencies in their browsers, and the consumer's system."""

    def __init__(self, owner: Caller, consumer: Caller, system: Caller) -> None:
        self.owner, self.consumer, self.system = owner, consumer, system
        self.ledger = owner.ledger
        self.service = one(r'href="/catalogue/(SRV-[0-9]+)"', consumer.surely("GET", "/catalogue").text)

    def _enter(self) -> None:
        """Sign in whose session has ended by time."""
        for browser, run, agency in ((self.owner, *OWNER), (self.consumer, *CONSUMER)):
            if browser.surely("GET", "/agency/agreements").status_code != httpx2.codes.OK:
                browser.surely("POST", "/sign-in", data={"run": run, "password": "testing"})
                browser.surely("POST", "/agency", data={"agency": agency})

    def turn(self) -> None:
        """One agreement from its request to its end."""
        self._enter()
        code = self._request()
        self._step(self.owner, code, "approve", "active")
        token = self._token(code)
        for _number in range(CALLS_EACH if token else 0):
            if self.system.ended.is_set():
                break
            self._call(token)
        self._step(self.consumer, code, "end", "ended")

    def _request(self) -> str:
        """Ask for it. What nobody knows the outcome of is looked up before it is asked for again."""
        page = f"/agency/agreements/new?service={self.service}&version=v1"
        while True:
            made = self.consumer.form(page, **PURPOSE)
            if made is not None and made.status_code == httpx2.codes.SEE_OTHER:
                return self._noted(made.headers["Location"].rpartition("/")[2], "requested")
            listed = self.consumer.surely("GET", "/agency/agreements?side=consumer").text
            for code in re.findall(LISTED, listed):
                if code not in self.ledger.agreements:
                    return self._noted(code, "requested")

    def _noted(self, code: str, status: str) -> str:
        with self.ledger.lock:
            self.ledger.agreements[code] = status
        return code

    def _step(self, browser: Caller, code: str, step: str, becomes: str) -> None:
        """Take a step; a conflict says that an attempt whose answer was lost has taken it."""
        data = {"step": step, "reasons": "Termina la prueba"}
        answer = browser.surely("POST", f"/agency/agreements/{code}", data=data)
        if answer.status_code in (httpx2.codes.SEE_OTHER, httpx2.codes.CONFLICT):
            self._noted(code, becomes)
        else:
            self.ledger.lose(f"{step} of {code} was refused: {answer.status_code}")

    def _token(self, code: str) -> str:
        page = self.consumer.surely("POST", f"/agency/agreements/{code}/credentials")
        if page.status_code != httpx2.codes.OK:
            self.ledger.lose(f"no credentials for {code}: {page.status_code}")
            return ""
        client_id, secret = re.findall(COPIED, page.text)[:2]
        form = {"grant_type": "client_credentials"}
        told = self.system.surely("POST", "/openid/token", data=form, auth=(client_id, secret))
        if told.status_code != httpx2.codes.OK:
            self.ledger.lose(f"the credentials of {code} give no token: {told.status_code} {told.text[:200]}")
            return ""
        return str(told.json()["access_token"])

    def _call(self, token: str) -> None:
        answer = self.system.once(
            "GET", f"/gateway/{self.service}/v1/regions/13", headers={"Authorization": f"Bearer {token}"}
        )
        if answer is not None and answer.status_code == httpx2.codes.OK:
            with self.ledger.lock:
                self.ledger.traces.append(answer.headers[TRACE])
