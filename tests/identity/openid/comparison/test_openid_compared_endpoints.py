"""Pushed requests, introspection, revocation, userinfo, devices and leaving, at ours and at npm's oidc-provider."""

from collections.abc import Callable
from typing import Any

import pytest
from builders.clients import LEFT
from builders.comparison import Case, Provider, told

pytestmark = pytest.mark.xdist_group("comparison")  # they share both providers, so one worker runs them

Doing = Callable[[Provider], str]
PAR, INTROSPECTION, REVOCATION = (
    f"{name}_endpoint" for name in ("pushed_authorization_request", "introspection", "revocation")
)
OTHERS = "RFC 7662 4: a token that does not concern the caller is inactive to it; theirs leaves it to its configuration"
SESSION = "RP-Initiated Logout 3: who has been signed out goes back, and here nobody was signed in; theirs stays"
METHOD = "RFC 9110 15.5.6: the place is there, the method is not"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ELSEWHERE = "http://elsewhere.example/"


def pushing(*also: tuple[str, str], **changed: Any) -> Doing:
    return lambda provider: told(provider.pushing(also, **changed))


def pushed(provider: Provider) -> list[tuple[str, str]]:
    """The parameters that a browser brings after a sound push."""
    request_uri = provider.pushing().json()["request_uri"]
    return [("client_id", provider.clients["web"].client_id), ("request_uri", request_uri)]


def showing(*also: tuple[str, str]) -> Doing:
    """A pushed request shown with more beside it."""
    return lambda provider: provider.shown([*pushed(provider), *also])


def shown_twice(provider: Provider) -> str:
    pairs = pushed(provider)
    assert provider.shown(pairs) == "code"
    return provider.shown(pairs)


def shown_by_another(provider: Provider) -> str:
    (_, request_uri) = pushed(provider)[1]
    return provider.shown([("client_id", provider.clients["other"].client_id), ("request_uri", request_uri)])


def pushing_for_another(provider: Provider) -> str:
    return told(provider.pushing(client_id=provider.clients["other"].client_id))


def pushing_json(provider: Provider) -> str:
    return told(provider.http.post(provider.metadata[PAR], json=provider.parameters(), headers=provider.basic()))


def getting(endpoint: str) -> Doing:
    return lambda provider: told(provider.http.get(provider.metadata[endpoint], headers=provider.basic()))


def nobody(endpoint: str) -> Doing:
    return lambda provider: told(provider.post(endpoint, {"token": "unheard-of", **provider.parameters()}))


def empty(endpoint: str) -> Doing:
    return lambda provider: told(provider.post(endpoint, {}, provider.basic()))


def asking_about(kind: str, by: str = "web", **form: Any) -> Doing:
    return lambda provider: provider.introspect(provider.offline()[kind], by, **form)


def asking_as_a_program(provider: Provider) -> str:
    form = {"token": provider.tokens()["access_token"], "client_id": provider.clients["public"].client_id}
    return told(provider.post(INTROSPECTION, form))


def ending(kind: str, by: str = "web", **form: Any) -> Doing:
    return lambda provider: provider.revoke(provider.offline()[kind], by, **form)


def left_after(ended: str, used: str, by: str = "web") -> Doing:
    """The fate of one token when another of the same sign-in is ended."""

    def do(provider: Provider) -> str:
        tokens = provider.offline()
        provider.revoke(tokens[ended], by)
        return provider.refresh(tokens[used]) if used == "refresh_token" else provider.userinfo(tokens[used])

    return do


def calling(kind: str = "access_token", scheme: str = "Bearer") -> Doing:
    return lambda provider: provider.userinfo(provider.offline()[kind], scheme)


def calling_with(
    params: dict[str, str] | None = None, data: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> Doing:
    """By POST, with the token where this says."""

    def do(provider: Provider) -> str:
        token = provider.tokens()["access_token"]

        def filled(part: dict[str, str] | None) -> dict[str, str]:
            return {name: value.format(token) for name, value in (part or {}).items()}

        place = provider.metadata["userinfo_endpoint"]
        return told(provider.http.post(place, params=filled(params), data=filled(data), headers=filled(headers)))

    return do


def asking_for_a_device(by: str = "public", **changed: str) -> Doing:
    def do(provider: Provider) -> str:
        form = {"client_id": provider.clients[by].client_id, "scope": "openid", **changed}
        return told(provider.post("device_authorization_endpoint", form))

    return do


def polling(times: int = 1, by: str = "public", **changed: str) -> Doing:
    """A device that asks for its tokens, of which nobody has decided yet."""

    def do(provider: Provider) -> str:
        asked = {"client_id": provider.clients["public"].client_id, "scope": "openid"}
        code = provider.post("device_authorization_endpoint", asked).json()["device_code"]
        form = {"grant_type": DEVICE, "client_id": provider.clients[by].client_id, "device_code": code, **changed}
        return [told(provider.post("token_endpoint", form)) for _ in range(times)][-1]

    return do


def leaving(**parameters: str | Callable[[Provider], str]) -> Doing:
    def do(provider: Provider) -> str:
        return provider.leave(**{name: v if isinstance(v, str) else v(provider) for name, v in parameters.items()})

    return do


def of(client: str) -> Callable[[Provider], str]:
    return lambda provider: provider.clients[client].client_id


def own(provider: Provider) -> str:
    return provider.id_token()


def old(provider: Provider) -> str:
    return provider.id_token(iat=1_000_000_000, exp=1_000_003_600)


CASES = [
    # Pushed requests.
    Case("a pushed request", pushing(), "201"),
    Case("a pushed request, shown", showing(), "code"),
    Case(
        "a pushed request, shown twice",
        shown_twice,
        "shows",
        "tells invalid_request_uri",
        "RFC 9126 4: where the answer goes is in what was pushed, and there is nothing for this client",
    ),
    Case(
        "a pushed request, shown by another client",
        shown_by_another,
        "shows",
        "tells invalid_request_object",
        "RFC 9126 4: where the answer goes is in what was pushed, and there is nothing for this client",
    ),
    Case("a pushed request, with another scope beside it", showing(("scope", "unheard-of")), "code"),
    Case("a pushed request, with another place beside it", showing(("redirect_uri", ELSEWHERE)), "code"),
    Case("a pushed request, with prompt beside it", showing(("prompt", "login")), "code"),
    Case(
        "a pushed request, with a parameter twice beside it",
        showing(("x", "1"), ("x", "2")),
        "tells invalid_request",
        "code",
        "RFC 6749 3.1: parameters must not be included more than once",
    ),
    Case(
        "a pushed request, with a request beside it",
        showing(("request", "x.y.z")),
        "shows",
        "tells invalid_request",
        "RFC 9101 5: not both, and which of them says where the answer goes is not sure",
    ),
    Case(
        "pushing a request_uri",
        pushing(("request_uri", "urn:x")),
        "400 invalid_request",
        "400 request_uri_not_supported",
        "RFC 9126 2.1: it must not be there; that is malformed, not unsupported",
    ),
    Case("pushing an unregistered place", pushing(redirect_uri=ELSEWHERE), "400 invalid_request"),
    Case(
        "pushing no openid",
        pushing(scope="name"),
        "400 invalid_scope",
        "400 invalid_request",
        "RFC 6749 4.1.2.1: it is the scope that is wrong",
    ),
    Case("pushing an unknown response_type", pushing(response_type="unheard-of"), "400 unsupported_response_type"),
    Case("pushing a parameter twice", pushing(("scope", "openid")), "400 invalid_request"),
    Case("pushing prompt none with another", pushing(prompt="none login"), "400 invalid_request"),
    Case("pushing no code_challenge", pushing(code_challenge=None, code_challenge_method=None), "400 invalid_request"),
    Case("pushing no client_id", pushing(client_id=None), "400 invalid_request"),
    Case("pushing another client's client_id", pushing_for_another, "400 invalid_request"),
    Case("pushing JSON", pushing_json, "400 invalid_request"),
    Case("pushing as nobody", nobody(PAR), "401 invalid_client"),
    Case("pushing by GET", getting(PAR), "405", "404", METHOD),
    # Introspection.
    Case("asking about an access token", asking_about("access_token"), "active"),
    Case("asking about a refresh token", asking_about("refresh_token"), "active"),
    Case(
        "asking about an ID token",
        asking_about("id_token"),
        "inactive",
        "400 unsupported_token_type",
        "RFC 7662 2.2: what is no token that can be asked about is not active, without a reason",
    ),
    Case("asking about another client's token", asking_about("access_token", "other"), "inactive", "active", OTHERS),
    Case(
        "asking about another client's refresh token",
        asking_about("refresh_token", "other"),
        "inactive",
        "active",
        OTHERS,
    ),
    Case("asking with the wrong hint", asking_about("access_token", token_type_hint="refresh_token"), "active"),
    Case("asking with an unknown hint", asking_about("access_token", token_type_hint="unheard-of"), "active"),
    Case("asking about nothing", empty(INTROSPECTION), "400 invalid_request"),
    Case("asking about no token of ours", lambda provider: provider.introspect("unheard-of"), "inactive"),
    Case("asking as nobody", nobody(INTROSPECTION), "401 invalid_client"),
    Case(
        "asking as a program without a secret",
        asking_as_a_program,
        "401 invalid_client",
        "200",
        "RFC 7662 2.1: who asks must be authorized, and a name proves nothing",
    ),
    Case("asking by GET", getting(INTROSPECTION), "405", "404", METHOD),
    # Revocation.
    Case("ending an access token", ending("access_token"), "200"),
    Case("ending no token of ours", lambda provider: provider.revoke("unheard-of"), "200"),
    Case("ending with an unknown hint", ending("access_token", token_type_hint="unheard-of"), "200"),
    Case("ending nothing", empty(REVOCATION), "400 invalid_request"),
    Case(
        "ending another client's token",
        ending("access_token", "other"),
        "400 invalid_grant",
        "400 invalid_request",
        "RFC 7009 2.1: refused; RFC 6749 5.2 has this word for what was issued to another client",
    ),
    Case("a token that another client tried to end", left_after("access_token", "access_token", "other"), "200"),
    Case(
        "the access token when the refresh token is ended",
        left_after("refresh_token", "access_token"),
        "401 invalid_token",
    ),
    Case(
        "the refresh token when the access token is ended",
        left_after("access_token", "refresh_token"),
        "200",
        "400 invalid_grant",
        "RFC 7009 2.1: the grant may end with it; whoever wants that ends the refresh token",
    ),
    # Userinfo.
    Case("calling", calling(), "200"),
    Case("calling with bearer in small letters", calling(scheme="bearer"), "200"),
    Case(
        "calling with another scheme",
        calling(scheme="Basic"),
        "401 invalid_token",
        "400 invalid_request",
        "RFC 6750 3.1: who tries another way is asked for a token, as one who brings none",
    ),
    Case("calling with an ID token", calling("id_token"), "401 invalid_token"),
    Case("calling with a refresh token", calling("refresh_token"), "401 invalid_token"),
    Case("calling with no token of ours", lambda provider: provider.userinfo("unheard-of"), "401 invalid_token"),
    Case("calling without a token", calling_with(), "401 invalid_token"),
    Case("the token in a form", calling_with(data={"access_token": "{}"}), "200"),
    Case(
        "the token in the address",
        calling_with(params={"access_token": "{}"}),
        "401 invalid_token",
        "400 invalid_request",
        "RFC 9700 4.3.2: never there, so there is none; RFC 6750 3.1 asks for one",
    ),
    Case(
        "the token in two places",
        calling_with(data={"access_token": "{}"}, headers={"Authorization": "Bearer {}"}),
        "400 invalid_request",
    ),
    # Devices.
    Case("a device", asking_for_a_device(), "200"),
    Case(
        "a device without openid",
        asking_for_a_device(scope="name"),
        "400 invalid_scope",
        "200",
        "OIDC Core 3.1.2.1: openid is required, and here nobody gets tokens of a person but by OpenID Connect",
    ),
    Case("a device with a scope that nobody knows", asking_for_a_device(scope="openid unheard-of"), "200"),
    Case("a device of nobody", asking_for_a_device(client_id="unheard-of"), "401 invalid_client"),
    Case("a device of who needs a secret", asking_for_a_device("web"), "401 invalid_client"),
    Case("a device of a system", asking_for_a_device("system"), "401 invalid_client"),
    Case("a device that asks", polling(), "400 authorization_pending"),
    Case(
        "a device that asks again at once",
        polling(2),
        "400 slow_down",
        "400 authorization_pending",
        "RFC 8628 3.5: who does not wait is told to; theirs keeps no count",
    ),
    Case("a device with an unknown code", polling(device_code="unheard-of"), "400 invalid_grant"),
    Case("a device with an empty code", polling(device_code=""), "400 invalid_request"),
    Case("a device that names who needs a secret", polling(by="web"), "401 invalid_client"),
    Case("a device with a redirect_uri", polling(redirect_uri=LEFT), "400 authorization_pending"),
    # Leaving.
    Case("leaving", leaving(), "goes nowhere"),
    Case(
        "leaving for the client's place",
        leaving(client_id=of("web"), post_logout_redirect_uri=LEFT),
        "goes to the client",
        "goes nowhere",
        SESSION,
    ),
    Case("leaving for another place", leaving(client_id=of("web"), post_logout_redirect_uri=ELSEWHERE), "shows"),
    Case(
        "leaving for a place of nobody knows whom",
        leaving(post_logout_redirect_uri=LEFT),
        "shows",
        "goes nowhere",
        "RP-Initiated Logout 4: what is wrong is said, rather than left out in silence",
    ),
    Case(
        "leaving with an ID token",
        leaving(id_token_hint=own, post_logout_redirect_uri=LEFT),
        "goes to the client",
        "goes nowhere",
        SESSION,
    ),
    Case(
        "leaving with an old ID token",
        leaving(id_token_hint=old, post_logout_redirect_uri=LEFT),
        "goes to the client",
        "goes nowhere",
        SESSION,
    ),
    Case("leaving with no ID token of ours", leaving(id_token_hint="x.y.z", post_logout_redirect_uri=LEFT), "shows"),
    Case("leaving with another client's ID token", leaving(id_token_hint=own, client_id=of("other")), "shows"),
    Case(
        "leaving with an unknown client",
        leaving(client_id="unheard-of"),
        "goes nowhere",
        "shows",
        "RP-Initiated Logout 4: what needs the client is left out, and leaving needs none",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_both_answer_elsewhere_alike_or_we_say_why_not(case: Case, ours: Provider, theirs: Provider) -> None:
    assert (case.do(ours), case.do(theirs)) == case.expected
