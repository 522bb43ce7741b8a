"""Clients, and sign-ins to them, for tests: a call says what matters and the rest is usual.

What makes a client wants an application context; what drives a browser wants none.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.machine_clients.actions import create_machine_client
from identity.clients.registry.actions import NewClient, create_client
from kernel.base.parties import OPERATOR, Party
from kernel.jobs.access import Principal, act_as

CALLBACK = "http://127.0.0.1:9/callback"
AUTHORIZE = "/openid/authorize"
LEFT = "http://127.0.0.1:9/left"
STATE = "a-state-of-more-than-thirty-characters"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"


def a_client(
    profile: str = "clave-unica",
    name: str = "Trámites de Prueba",
    redirect_uris: Iterable[str] = (CALLBACK,),
    post_logout_redirect_uris: Iterable[str] = (LEFT,),
    owner: Party | str = OPERATOR,
    **others: Any,
) -> NewClient:
    """An application; owner: the text of a party, as `agency:AE001`."""
    others |= {
        "post_logout_redirect_uris": post_logout_redirect_uris,
        "owner": Party.parse(owner) if isinstance(owner, str) else owner,
    }
    return create_client(name, profile, redirect_uris, **others)


def a_client_in_use(redirect_uri: str, **others: Any) -> NewClient:
    """An application of AE001 in production."""
    act_as(Principal(kind="operator", id="test", name="El operador"))
    return a_client(
        "standard",
        "Trámites",
        [redirect_uri],
        [],
        environment="production",
        owner="agency:AE001",
        scopes=["openid", "run"],
        scope_reasons={"run": "Para encontrar su expediente."},
        contacts=["ana@example.cl"],
        **others,
    )


def a_system(
    agency: str = "AE001",
    scopes: Iterable[str] = ("communications.send",),
    service_binding: Mapping[str, str] | None = None,
    **others: Any,
) -> NewClient:
    return create_machine_client("Sistema de Prueba", agency, scopes, service_binding, **others)


def s256(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def a_request(made: NewClient, **changed: str | None) -> dict[str, str]:
    """The parameters of a sound authorization request; None takes one away."""
    parameters: dict[str, str | None] = {
        "response_type": "code",
        "client_id": made.client.client_id,
        "redirect_uri": made.client.redirect_uris[0],
        "scope": "openid run name email",
        "state": STATE,
    }
    if made.client.profile == "standard":
        parameters |= {"code_challenge": s256(), "code_challenge_method": "S256", "nonce": "a-nonce"}
    return {name: value for name, value in {**parameters, **changed}.items() if value is not None}


def path_of(made: NewClient, **changed: str | None) -> str:
    """A sound authorization request."""
    return f"{AUTHORIZE}?{urlencode(a_request(made, **changed))}"


def authorize(browser: FlaskClient, made: NewClient, **changed: str | None) -> TestResponse:
    return browser.get(path_of(made, **changed))


def decide(browser: FlaskClient, page: TestResponse, decision: str) -> TestResponse:
    """Press one of the two buttons of the consent page."""
    action = re.search(r'action="(/openid/consent[^"]*)"', page.text)
    assert action, page.text
    return browser.post(action[1].replace("&amp;", "&"), data={"decision": decision})


def answer_of(response: TestResponse) -> dict[str, str]:
    """Return the parameters that the client gets in the redirect."""
    assert response.status_code == 303, response.text
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def a_code(browser: FlaskClient, made: NewClient, **changed: str | None) -> str:
    """A code for the person signed in to this browser, who agrees where asked."""
    response = authorize(browser, made, **changed)
    if response.status_code == 200:
        response = decide(browser, response, "allow")
    return answer_of(response)["code"]


def token_form(made: NewClient, code: str, **changed: str | None) -> dict[str, str]:
    """The form of a sound token request with the secret in it."""
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": made.client.redirect_uris[0],
        "client_id": made.client.client_id,
        "client_secret": made.secret,
    }
    if made.client.profile == "standard":
        form["code_verifier"] = VERIFIER
    return {name: value for name, value in {**form, **changed}.items() if value is not None}


def redeem(browser: FlaskClient, made: NewClient, code: str, **changed: str | None) -> TestResponse:
    return browser.post("/openid/token", data=token_form(made, code, **changed))


def tokens_for(browser: FlaskClient, made: NewClient, **changed: str | None) -> dict[str, Any]:
    """The answer of the token endpoint for the person signed in to this browser."""
    response = redeem(browser, made, a_code(browser, made, **changed))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def userinfo(browser: FlaskClient, access_token: str) -> TestResponse:
    return browser.post("/openid/userinfo", headers={"Authorization": f"Bearer {access_token}"})


def basic(client_id: str, secret: str | None) -> dict[str, str]:
    """The Authorization header of `client_secret_basic`."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def machine_token(browser: FlaskClient, made: NewClient, **form: str) -> str:
    """An access token of a system."""
    response = browser.post(
        "/openid/token",
        data={"grant_type": "client_credentials", **form},
        headers=basic(made.client.client_id, made.secret),
    )
    assert response.status_code == 200, response.text
    return str(response.get_json()["access_token"])


def asks_to_sign_in(response: TestResponse) -> bool:
    """Whether the answer is the page that asks for RUN and password, or leads to it."""
    return 'name="password"' in response.text or response.headers.get("Location", "").startswith("/sign-in?")


def following(response: TestResponse) -> str:
    """Return the address to which an answer leads, or to which a page that asks for a password or a code goes on."""
    led = parse_qs(urlsplit(response.headers.get("Location", "")).query).get("next")
    written = re.search(r'name="next" value="([^"]*)"', response.text)
    return led[0] if led else unescape(written[1] if written else "")
