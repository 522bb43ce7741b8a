"""Authorization requests of which the standards leave room for doubt, at ours and at npm's oidc-provider."""

from collections.abc import Callable
from typing import Any

import pytest
from builders.comparison import Case, Provider

pytestmark = pytest.mark.xdist_group("comparison")  # they share both providers, so one worker runs them

LIMITS = "nobody has to keep or hand back what no application needs (RFC 6749 Appendix A says which characters)"
NOBODY = '{"id_token": {"sub": {"value": "unheard-of"}}}'
UNREACHABLE = '{"id_token": {"acr": {"essential": true, "values": ["unheard-of"]}}}'
ELSEWHERE = "http://elsewhere.example/"


def asking(*also: tuple[str, str], by: str = "web", **changed: Any) -> Callable[[Provider], str]:
    return lambda provider: provider.authorize(also, by=by, **changed)


def asking_as_nobody(**changed: Any) -> Callable[[Provider], str]:
    return lambda provider: provider.authorize(browser=provider.stranger(), **changed)


CASES = [
    Case("a sound request", asking(), "code"),
    # What comes twice, or empty.
    Case("scope twice", asking(("scope", "openid")), "tells invalid_request"),
    Case("state twice", asking(("state", "another")), "tells invalid_request"),
    Case("client_id twice", asking(("client_id", "another")), "shows"),
    Case(
        "redirect_uri twice",
        asking(("redirect_uri", ELSEWHERE)),
        "shows",
        "tells invalid_request",
        "RFC 6749 4.1.2.1: which of them is the client's is not sure",
    ),
    Case(
        "an unknown parameter twice",
        asking(("x", "1"), ("x", "2")),
        "tells invalid_request",
        "code",
        "RFC 6749 3.1: parameters must not be included more than once",
    ),
    Case("an empty state", asking(state=""), "code"),
    Case("an empty response_mode", asking(response_mode=""), "code"),
    Case("an empty prompt", asking(prompt=""), "code"),
    Case("an empty max_age", asking(max_age=""), "code"),
    Case("an empty request", asking(request=""), "code"),
    Case("no state", asking(state=None), "code"),
    Case("no nonce", asking(nonce=None), "code"),
    # Scopes.
    Case(
        "no scope",
        asking(scope=None),
        "tells invalid_scope",
        "tells invalid_request",
        "RFC 6749 3.3: a request without a scope fails as one with an invalid scope",
    ),
    Case(
        "a scope without openid",
        asking(scope="name"),
        "tells invalid_scope",
        "tells invalid_request",
        "RFC 6749 4.1.2.1: it is the scope that is wrong",
    ),
    Case("a scope that nobody knows", asking(scope="openid unheard-of"), "code"),
    Case(
        "two spaces in scope",
        asking(scope="openid  name"),
        "code",
        "tells invalid_scope",
        "RFC 6749 3.3 has one space, and a second one changes nothing of what is asked for",
    ),
    Case("the same scope twice", asking(scope="openid openid name"), "code"),
    # Where and how the answer goes.
    Case("a space after the response_type", asking(response_type="code "), "tells unsupported_response_type"),
    Case("no response_type", asking(response_type=None), "tells invalid_request"),
    Case("the implicit flow", asking(response_type="id_token"), "tells unsupported_response_type"),
    Case("the hybrid flow", asking(response_type="code id_token"), "tells unsupported_response_type"),
    Case(
        "an unknown response_mode",
        asking(response_mode="unheard-of"),
        "tells invalid_request",
        "tells unsupported_response_mode",
        "RFC 6749 4.1.2.1 calls an invalid value so; the other word is registered nowhere",
    ),
    Case("a fragment", asking(response_mode="fragment"), "code"),
    Case("an error in a fragment", asking(response_mode="fragment", prompt="none login"), "tells invalid_request"),
    Case("a form", asking(response_mode="form_post"), "posts code"),
    Case("an error in a form", asking(response_mode="form_post", prompt="none login"), "posts invalid_request"),
    Case(
        "no redirect_uri",
        asking(redirect_uri=None),
        "shows",
        "code",
        "OIDC Core 3.1.2.1: it is required, even where one only is registered",
    ),
    Case("a slash after the redirect_uri", asking(redirect_uri="http://127.0.0.1:9/callback/"), "shows"),
    Case("a fragment in the redirect_uri", asking(redirect_uri="http://127.0.0.1:9/callback#x"), "shows"),
    Case("another port", asking(redirect_uri="http://127.0.0.1:10/callback"), "shows"),
    Case(
        "another port, for a program without a secret",
        asking(by="public", redirect_uri="http://127.0.0.1:10/callback"),
        "asks",
        "shows",
        "RFC 8252 7.3 and 8.6: it gets whatever port is free, and nobody enters unasked; there it has to be native",
    ),
    Case("an unknown client", asking(client_id="unheard-of"), "shows"),
    Case("no client", asking(client_id=None), "shows"),
    Case("a system", asking(by="system"), "shows"),
    # Who is there, and what they are asked.
    Case("prompt none", asking(prompt="none"), "code"),
    Case("prompt none where nobody is", asking_as_nobody(prompt="none"), "tells login_required"),
    Case("prompt none with another", asking(prompt="none login"), "tells invalid_request"),
    Case("prompt login", asking(prompt="login"), "asks"),
    Case("prompt consent", asking(prompt="consent"), "asks"),
    Case(
        "prompt select_account",
        asking(prompt="select_account"),
        "asks",
        "tells invalid_request",
        "OIDC Core 3.1.2.1 has it, and that provider leaves it out unless configured",
    ),
    Case("prompt create, which is offered by nobody", asking(prompt="create"), "tells invalid_request"),
    Case("an unknown prompt", asking(prompt="unheard-of"), "tells invalid_request"),
    Case("max_age 0", asking(max_age="0"), "asks"),
    Case("max_age 0 with prompt none", asking(max_age="0", prompt="none"), "tells login_required"),
    Case("a max_age of a year", asking(max_age="31536000"), "code"),
    Case("a negative max_age", asking(max_age="-1"), "tells invalid_request"),
    Case("a max_age with a fraction", asking(max_age="1.5"), "tells invalid_request"),
    Case(
        "a max_age of another writing",
        asking(max_age="1e9"),
        "tells invalid_request",
        "code",
        "OIDC Core 3.1.2.1: a number of seconds; who writes otherwise may mean something else",
    ),
    Case("claims about nobody known", asking(claims=NOBODY, prompt="none"), "tells login_required"),
    Case(
        "a level that nobody can reach",
        asking(claims=UNREACHABLE),
        "tells unmet_authentication_requirements",
        "asks",
        "OIDC Core 5.5.1.1: it is a failed sign-in, and asking first would only keep the person",
    ),
    Case("acr_values that nobody has", asking(acr_values="unheard-of"), "code"),
    Case("an unknown display", asking(display="unheard-of"), "code"),
    Case("languages that nobody speaks", asking(ui_locales="xx yy"), "code"),
    # PKCE.
    Case("no code_challenge", asking(code_challenge=None, code_challenge_method=None), "tells invalid_request"),
    Case("a method without a code_challenge", asking(code_challenge=None), "tells invalid_request"),
    Case("no code_challenge_method", asking(code_challenge_method=None), "tells invalid_request"),
    Case("the method plain", asking(code_challenge_method="plain"), "tells invalid_request"),
    Case("a code_challenge that is too short", asking(code_challenge="x" * 42), "tells invalid_request"),
    Case("a code_challenge that is too long", asking(code_challenge="x" * 129), "tells invalid_request"),
    Case(
        "a code_challenge that no SHA-256 is",
        asking(code_challenge="x" * 44),
        "tells invalid_request",
        "code",
        "RFC 7636 4.2: by S256 it has 43 characters; the code could never be redeemed",
    ),
    Case("a code_challenge with padding", asking(code_challenge="x" * 42 + "="), "tells invalid_request"),
    # Objects.
    Case("claims that are no JSON", asking(claims="{"), "tells invalid_request"),
    Case("claims that are a list", asking(claims="[]"), "tells invalid_request"),
    Case(
        "claims with members that nobody knows",
        asking(claims='{"x": {}}'),
        "code",
        "tells invalid_request",
        "OIDC Core 5.5: members that are not understood must be ignored",
    ),
    Case(
        "empty claims", asking(claims="{}"), "code", "tells invalid_request", "OIDC Core 5.5: both members are optional"
    ),
    Case("a request that is no JWT", asking(request="x.y.z"), "tells invalid_request_object"),
    Case("request and request_uri", asking(request="x.y.z", request_uri="urn:x"), "tells invalid_request"),
    Case(
        "a request_uri of elsewhere",
        asking(request_uri="https://elsewhere.example/r"),
        "tells request_uri_not_supported",
    ),
    Case(
        "a request_uri that nobody pushed",
        asking(request_uri="urn:ietf:params:oauth:request_uri:x"),
        "shows",
        "tells invalid_request_uri",
        "RFC 9126 4: where the answer goes is in what was pushed, and there is nothing",
    ),
    Case("registration", asking(registration="{}"), "tells registration_not_supported"),
    Case("a hint that is no ID token", asking(id_token_hint="x.y.z"), "tells invalid_request"),
    Case("a resource that is no address", asking(resource="x"), "tells invalid_target"),
    Case("a resource with a fragment", asking(resource="http://localhost/#x"), "tells invalid_target"),
    Case(
        "a dpop_jkt of no key",
        asking(dpop_jkt="x"),
        "tells invalid_request",
        "code",
        "RFC 9449 10: it is a SHA-256; the code could never be redeemed",
    ),
    Case("a null byte in the state", asking(state="\x00" * 40), "tells invalid_request", "code", LIMITS),
    Case("a state of three thousand characters", asking(state="x" * 3000), "code"),
    Case("a state of seven thousand characters", asking(state="x" * 7000), "tells invalid_request", "code", LIMITS),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_both_answer_a_request_alike_or_we_say_why_not(case: Case, ours: Provider, theirs: Provider) -> None:
    assert (case.do(ours), case.do(theirs)) == case.expected
