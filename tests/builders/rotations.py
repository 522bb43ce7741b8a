"""People who sign in and systems that get tokens while keys are rotated, and whoever verifies what they are given."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from builders.browser import PersonWithBrowser
from builders.clients import a_request, basic, token_form
from builders.identity import PASSWORD
from builders.impatient_keys import CACHED_SECONDS
from joserfc import jwt
from joserfc.jwk import KeySet
from walking import Installation

from identity.clients.registry.actions import NewClient

MAX_AGE_SECONDS = 0.3
"""The time for which a client of these keeps the key set, in place of the five minutes that its header allows."""
SIGNS_IN_SECONDS = 1.2
"""The delay before a new key signs, in place of a day: later than any worker or client keeps what it read before."""
PATIENCE_SECONDS = 60
assert CACHED_SECONDS + MAX_AGE_SECONDS < SIGNS_IN_SECONDS


class Verifier:
    """A client's view of the key set: read again when it is too old, and never because a token has an unknown key."""

    def __init__(self, http: httpx2.Client, jwks_uri: str) -> None:
        self.http, self.jwks_uri = http, jwks_uri
        self.read_at, self.keys = float("-inf"), KeySet([])

    def claims(self, token: str) -> tuple[str, dict[str, Any]]:
        """The key's name and what the token says. Raises JoseError, ValueError."""
        if time.monotonic() - self.read_at > MAX_AGE_SECONDS:
            self.read_at = time.monotonic()
            self.keys = KeySet.import_key_set(self.http.get(self.jwks_uri).json())
        found = jwt.decode(token, self.keys, algorithms=["ES256"])
        return found.header["kid"], found.claims


class Load:
    """People who sign in to applications, and systems that get tokens, without a pause, until they are told to stop."""

    def __init__(self, installation: Installation, nodes: Sequence[str] = ()) -> None:
        """nodes: the addresses at which each node tells its keys, of which everyone has to verify every token."""
        self.installation = installation
        self.provider = httpx2.get(f"{installation.base_url}/openid/.well-known/openid-configuration").json()
        path = urlsplit(self.provider["jwks_uri"]).path
        self.jwks_uris = [f"{node}{path}" for node in nodes] or [self.provider["jwks_uri"]]
        self.stop = threading.Event()
        self.signed_by: set[str] = set()
        self.done = 0

    def sign_in(self, made: NewClient, run: str) -> None:
        person = PersonWithBrowser(self.installation.base_url, run, PASSWORD)
        with person.http as http:
            verifiers = [Verifier(http, each) for each in self.jwks_uris]
            while not self.stop.is_set():
                back = person.go(f"{self.provider['authorization_endpoint']}?{urlencode(a_request(made))}")
                [code] = parse_qs(urlsplit(back).query)["code"]
                answer = http.post(self.provider["token_endpoint"], data=token_form(made, code))
                assert answer.status_code == 200, answer.text
                for verifier in verifiers:
                    kid, claims = verifier.claims(answer.json()["id_token"])
                    assert claims["aud"] == made.client.client_id
                self._note(kid)

    def get_tokens(self, made: NewClient) -> None:
        headers = basic(made.client.client_id, made.secret)
        with httpx2.Client() as http:
            verifiers = [Verifier(http, each) for each in self.jwks_uris]
            while not self.stop.is_set():
                form = {"grant_type": "client_credentials"}
                answer = http.post(self.provider["token_endpoint"], data=form, headers=headers)
                assert answer.status_code == 200, answer.text
                token = answer.json()["access_token"]
                for verifier in verifiers:
                    kid, _ = verifier.claims(token)
                self._note(kid)
                said = http.post(self.provider["introspection_endpoint"], data={"token": token}, headers=headers)
                assert said.json()["active"] is True

    def _note(self, kid: str) -> None:
        self.signed_by.add(kid)
        self.done += 1

    def rotate(self) -> None:
        """Have the next key made, and wait until it signs."""
        hours = str(SIGNS_IN_SECONDS / 3600)
        coming = json.loads(self.installation.cli("keys", "rotate", "openid", "--signs-in", hours, "--json"))["kid"]
        self.wait_until(lambda: coming in self.signed_by)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not happened() and not self.stop.wait(0.05):
            assert time.monotonic() < until

    def while_keys_rotate(self, made: NewClient, runs: Sequence[str], system: NewClient, rotations: int) -> None:
        """Let everybody work until so many keys have followed one another. Raises whatever went wrong for anybody."""
        with ThreadPoolExecutor(len(runs) + 1) as threads:
            working = [threads.submit(self.sign_in, made, run) for run in runs]
            working.append(threads.submit(self.get_tokens, system))
            for each in working:
                each.add_done_callback(lambda _: self.stop.set())  # whoever fails ends it for all
            try:
                self.wait_until(lambda: bool(self.signed_by))
                for _ in range(rotations):
                    self.rotate()
            finally:
                self.stop.set()
        for each in working:
            each.result()
