"""Two providers that are asked the same: ours in this process, and npm's oidc-provider beside it.

What they answer is told in a few words, the same for both, so that a test can say where they differ:

- `code`: the browser is sent back with a code. `asks`: a page asks the person. `shows`: a page says what is wrong, and
  nobody is sent anywhere.
- `tells invalid_request`: the browser is sent back with this error, with the issuer and the state; `posts …` by a form.
- `200`, `400 invalid_grant`: what a program gets.
- `active`, `inactive`: what introspection tells. `goes to the client`, `goes nowhere`: where a person ends who leaves.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from builders.browser import PersonWithBrowser
from builders.clients import CALLBACK, LEFT, STATE, VERIFIER, basic, s256
from builders.keys import Key, a_proof, an_assertion, signed

from kernel.base import clock

Pairs = Iterable[tuple[str, str]]
Headers = Mapping[str, str]
SCOPE = "openid name email"


@dataclass(frozen=True)
class Known:
    """A client as a provider knows it: by a secret, or by its name only."""

    client_id: str
    secret: str | None = None


@dataclass
class Provider:
    """One of the two, with the same clients, and a person who has signed in and agreed."""

    metadata: dict[str, Any]
    clients: dict[str, Known]
    own_key: Key
    """The key with which the provider signs."""
    key: Key
    """The key with which the clients `web` and `signing` sign."""
    transport: httpx2.BaseTransport | None = None
    run: str = "11111111-1"
    person: PersonWithBrowser = field(init=False)
    http: httpx2.Client = field(init=False)
    """For programs."""

    def __post_init__(self) -> None:
        self.http = self.stranger()

    def stranger(self) -> httpx2.Client:
        return httpx2.Client(transport=self.transport, follow_redirects=False, timeout=30)

    def sign_in(self, password: str) -> None:
        """Let the person sign in, and agree with `web` and with `public`."""
        self.person = PersonWithBrowser(self.origin, self.run, password, self.stranger())
        for by in ("web", "public"):
            self.code(by=by)

    @property
    def issuer(self) -> str:
        return str(self.metadata["issuer"])

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    # ---- what a browser brings ----

    def parameters(self, by: str = "web", **changed: str | None) -> dict[str, str]:
        """A sound authorization request; None takes a parameter away."""
        sound: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.clients[by].client_id,
            "redirect_uri": CALLBACK,
            "scope": SCOPE,
            "state": STATE,
            "nonce": "a-nonce",
            "code_challenge": s256(),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (sound | changed).items() if value is not None}

    def authorize(
        self, also: Pairs = (), by: str = "web", browser: httpx2.Client | None = None, **changed: str | None
    ) -> str:
        """Send a sound request and return its outcome. also: parameters beside those of the sound one."""
        return self.shown([*self.parameters(by, **changed).items(), *also], browser)

    def shown(self, pairs: Pairs, browser: httpx2.Client | None = None) -> str:
        """Send these parameters and no others, and return the outcome."""
        sent = list(pairs)
        address = f"{self.metadata['authorization_endpoint']}?{urlencode(sent)}"
        answer = (browser or self.person.http).get(address)
        place = answer.headers.get("Location", "")
        if place.startswith("http://127.0.0.1:"):
            parts = urlsplit(place)
            return self._brought(dict(parse_qsl(parts.query or parts.fragment)), sent, "tells")
        if answer.is_redirect:
            assert place.startswith(("/", f"{self.origin}/")), place
            return "asks"
        if f'action="{CALLBACK}"' in answer.text:
            fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', answer.text)
            return self._brought({unescape(name): unescape(value) for name, value in fields}, sent, "posts")
        return "shows" if answer.status_code >= 400 else "asks"

    def _brought(self, brought: dict[str, str], sent: list[tuple[str, str]], way: str) -> str:
        # RFC 9207 2, RFC 6749 4.1.2: the issuer, and the state as it came, in errors too.
        assert brought["iss"] == self.issuer, brought
        assert brought.get("state", STATE) in {STATE, *(value for name, value in sent if name == "state")}, brought
        said = brought.get("error") or next(name for name in brought if name == "code")
        return said if said == "code" and way == "tells" else f"{way} {said}"

    def code(self, by: str = "web", **changed: str | None) -> str:
        """A code for the person, who agrees where asked."""
        address = f"{self.metadata['authorization_endpoint']}?{urlencode(self.parameters(by, **changed))}"
        return dict(parse_qsl(urlsplit(self.person.go(address)).query))["code"]

    # ---- what a program sends ----

    def post(self, endpoint: str, form: Pairs | Mapping[str, str], headers: Headers | None = None) -> httpx2.Response:
        pairs = form.items() if isinstance(form, Mapping) else form
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.http.post(self.metadata[endpoint], content=urlencode(list(pairs)), headers=sent)

    def basic(self, by: str = "web") -> dict[str, str]:
        return basic(self.clients[by].client_id, self.clients[by].secret)

    def redeeming(self, code: str, /, **changed: str | None) -> dict[str, str]:
        """The form of a sound token request; None takes a parameter away."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return {name: value for name, value in (form | changed).items() if value is not None}

    def redeem(self, code: str, /, by: str = "web", headers: Headers | None = None, **changed: str | None) -> str:
        return told(self.post("token_endpoint", self.redeeming(code, **changed), self.basic(by) | dict(headers or {})))

    def tokens(self, by: str = "web", headers: Headers | None = None, **changed: str | None) -> dict[str, Any]:
        form = self.redeeming(self.code(by, **changed))
        answer = self.post("token_endpoint", form, self.basic(by) | dict(headers or {}))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def offline(self) -> dict[str, Any]:
        """Tokens with a refresh token among them."""
        return self.tokens(scope="openid name offline_access", prompt="consent")

    def refreshing(self, token: str, by: str = "web", **form: str) -> httpx2.Response:
        return self.post(
            "token_endpoint", {"grant_type": "refresh_token", "refresh_token": token, **form}, self.basic(by)
        )

    def refresh(self, token: str, by: str = "web", **form: str) -> str:
        return told(self.refreshing(token, by, **form))

    def push(self, also: Pairs = (), by: str = "web", headers: Headers | None = None, **changed: str | None) -> str:
        return told(self.pushing(also, by, headers, **changed))

    def pushing(
        self, also: Pairs = (), by: str = "web", headers: Headers | None = None, **changed: str | None
    ) -> httpx2.Response:
        pairs = [*self.parameters(by, **changed).items(), *also]
        return self.post("pushed_authorization_request_endpoint", pairs, self.basic(by) | dict(headers or {}))

    def introspect(self, token: str, by: str = "web", **form: str) -> str:
        answer = self.post("introspection_endpoint", {"token": token, **form}, self.basic(by))
        if answer.status_code != 200:
            return told(answer)
        return "active" if answer.json()["active"] else "inactive"

    def revoke(self, token: str, by: str = "web", **form: str) -> str:
        return told(self.post("revocation_endpoint", {"token": token, **form}, self.basic(by)))

    def userinfo(self, token: str, scheme: str = "Bearer", **headers: str) -> str:
        answer = self.http.get(
            self.metadata["userinfo_endpoint"], headers={"Authorization": f"{scheme} {token}", **headers}
        )
        return told(answer)

    def proof(self, key: Key, endpoint: str = "token_endpoint", method: str = "POST", **changed: Any) -> dict[str, str]:
        """The DPoP header for an endpoint."""
        return a_proof(key, method, **{"url": self.metadata[endpoint], **changed})

    def request_object(self, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """A sound request, signed by `web`; None takes a claim away."""
        client_id = self.clients["web"].client_id
        now = int(clock.now().timestamp())
        claims = {"iss": client_id, "aud": self.issuer, "iat": now, "nbf": now, "exp": now + 60}
        top = {"typ": "oauth-authz-req+jwt", "kid": "of-web", **(header or {})}
        return signed(self.key, {**self.parameters(), **claims, **changed}, **top)

    def assertion(self, header: dict[str, Any] | None = None, **changed: Any) -> dict[str, str]:
        """The form of a client that proves itself by its key; None takes a claim away."""
        return an_assertion(self.key, self.clients["signing"].client_id, header, **{"aud": self.issuer, **changed})

    def id_token(self, key: Key | None = None, **changed: Any) -> str:
        """An ID token of the person for `web`, with claims changed and signed anew."""
        token = self.tokens()["id_token"]
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return signed(key or self.own_key, {**claims, **changed}, kid=self.own_key.kid, typ="JWT")

    def leave(self, **parameters: str) -> str:
        """Return the address at which somebody ends who is not signed in, asks to leave, and says yes where asked."""
        browser = self.stranger()
        answer = browser.get(f"{self.metadata['end_session_endpoint']}?{urlencode(parameters)}")
        form = re.search(r'action="([^"]+)"><input type="hidden" name="xsrf" value="([^"]+)"', answer.text)
        if form:  # theirs asks everybody
            answer = browser.post(form[1], data={"xsrf": form[2], "logout": "yes"})
        if answer.is_redirect and answer.headers["Location"].startswith(LEFT):
            return "goes to the client"
        return "shows" if answer.status_code >= 400 else "goes nowhere"


def told(answer: httpx2.Response) -> str:
    """The status, and the error where there is one, in the body or in the challenge."""
    try:
        said = answer.json()
    except json.JSONDecodeError:
        said = {}
    error = said.get("error") if isinstance(said, dict) else None
    if error is None and answer.status_code >= 400:
        found = re.search(r'error="([^"]*)"', answer.headers.get("WWW-Authenticate", ""))
        error = found[1] if found else None
    return f"{answer.status_code} {error}" if error else str(answer.status_code)


@dataclass(frozen=True)
class Case:
    """A doubtful case: what is done, and what both answer; or what each does, and why ours is as it is."""

    what: str
    do: Callable[[Provider], str]
    ours: str
    theirs: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        assert bool(self.theirs) == bool(self.why), f"{self.what}: a difference has a reason"

    @property
    def expected(self) -> tuple[str, str]:
        return self.ours, self.theirs or self.ours
