"""Sign-ins with refresh tokens: a person enters an application, which refreshes what it was given again and again."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from benchmarks.kills.caller import Caller

CALLBACK = "http://127.0.0.1:9/callback"
SCOPE = "openid run name offline_access"
REFRESHES_EACH = 15


class Application:
    """An application, and the browser of the person who enters it."""

    def __init__(self, caller: Caller, credentials: Mapping[str, str], run: str) -> None:
        self.caller, self.run = caller, run
        self._credentials = credentials["client_id"], credentials["client_secret"]

    def turn(self) -> None:
        """Enter, then refresh; a refresh token that was given and never used has to work."""
        given = self._enter()
        if given is None:
            return
        self.caller.ledger.families += 1
        for _number in range(REFRESHES_EACH):
            if self.caller.ended.is_set():
                return
            form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
            answer = self.caller.surely("POST", "/openid/token", data=form, auth=self._credentials)
            if answer.status_code != httpx2.codes.OK:
                self.caller.ledger.lose(f"a refresh token was refused: {answer.status_code} {answer.text[:200]}")
                return
            given = answer.json()
            self.caller.ledger.refreshes += 1
            bearer = {"Authorization": f"Bearer {given['access_token']}"}
            told = self.caller.surely("GET", "/openid/userinfo", headers=bearer)
            if told.status_code != httpx2.codes.OK:
                self.caller.ledger.lose(f"an access token was refused: {told.status_code} {told.text[:200]}")

    def _enter(self) -> dict[str, Any] | None:
        """Tokens of a new sign-in. A code whose answer was lost is gone (RFC 6749 4.1.2): the person enters again."""
        while not self.caller.ended.is_set():
            self.caller.http.cookies.clear()
            verifier = secrets.token_urlsafe(48)
            code = self._code(verifier)
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
            if not code:
                continue
            form |= {"code_verifier": verifier}
            answer = self.caller.once("POST", "/openid/token", data=form, auth=self._credentials)
            if answer is not None and answer.status_code == httpx2.codes.OK:
                given: dict[str, Any] = answer.json()
                return given
        return None

    def _code(self, verifier: str) -> str:
        """The way through sign-in and consent, as a browser goes it; nothing where it broke off."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"response_type": "code", "client_id": self._credentials[0], "redirect_uri": CALLBACK, "scope": SCOPE}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "state": secrets.token_urlsafe(24)}
        answer = self.caller.surely("GET", "/openid/authorize", params=asked)
        for _page in range(6):
            if answer.status_code in (httpx2.codes.FOUND, httpx2.codes.SEE_OTHER):
                led = answer.headers["Location"]
                if led.startswith(CALLBACK):
                    return parse_qs(urlsplit(led).query).get("code", [""])[0]
                answer = self.caller.surely("GET", led)
                continue
            sent = self._form(answer)
            if sent is None:
                return ""
            answer = sent
        return ""

    def _form(self, page: httpx2.Response) -> httpx2.Response | None:
        action = re.search(r'<form[^>]*action="(/(?:sign-in|openid/consent)[^"]*)"', page.text)
        if action is None:
            return None
        hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
        fields = {name: unescape(value) for name, value in hidden}
        if action[1].startswith("/sign-in"):
            fields |= {"run": self.run, "password": "testing"}
        else:
            fields |= {"decision": "allow"}
        return self.caller.once("POST", unescape(action[1]), data=fields)
