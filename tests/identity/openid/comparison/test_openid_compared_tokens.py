"""Token requests of which the standards leave room for doubt, at ours and at npm's oidc-provider."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from builders.clients import LEFT, VERIFIER, basic
from builders.comparison import Case, Provider, told

pytestmark = pytest.mark.xdist_group("comparison")  # they share both providers, so one worker runs them

Doing = Callable[[Provider], str]
FAILED = "RFC 6749 5.2: whoever fails to authenticate gets invalid_client, and 401 where it was by a header"
REQUIRED = "RFC 6749 4.1.3: required where the authorization request had it; OAuth 2.1, which drops it, is a draft"


def redeeming(by: str = "web", also: tuple[tuple[str, str], ...] = (), **changed: Any) -> Doing:
    """A sound code with a token request that is not."""

    def do(provider: Provider) -> str:
        form = [*provider.redeeming(provider.code(), **changed).items(), *also]
        return told(provider.post("token_endpoint", form, provider.basic(by)))

    return do


def authenticating(header: Callable[[Provider], str] | None = None, by: str = "web", **form: Any) -> Doing:
    """A sound code with another way to authenticate."""

    def do(provider: Provider) -> str:
        headers = {"Authorization": header(provider)} if header else {}
        return told(provider.post("token_endpoint", provider.redeeming(provider.code(by), **form), headers))

    return do


def by_name(by: str) -> Doing:
    return lambda provider: authenticating(by=by, client_id=provider.clients[by].client_id)(provider)


def by_form(provider: Provider) -> str:
    web = provider.clients["web"]
    return authenticating(client_id=web.client_id, client_secret=web.secret)(provider)


def in_both_ways(provider: Provider) -> str:
    web = provider.clients["web"]
    return redeeming(client_id=web.client_id, client_secret=web.secret)(provider)


def naming(by: str) -> Doing:
    """By header, with a name in the form as well."""
    return lambda provider: redeeming(client_id=provider.clients[by].client_id)(provider)


def with_scheme(scheme: str) -> Callable[[Provider], str]:
    return lambda provider: scheme + provider.basic()["Authorization"].removeprefix("Basic")


def credentials(client: str, secret: str) -> Callable[[Provider], str]:
    return lambda provider: basic(provider.clients[client].client_id if client in provider.clients else client, secret)[
        "Authorization"
    ]


def without_a_colon(_: Provider) -> str:
    return "Basic " + base64.b64encode(b"x").decode()


def as_json(provider: Provider) -> str:
    form = provider.redeeming(provider.code())
    return told(provider.http.post(provider.metadata["token_endpoint"], json=form, headers=provider.basic()))


def in_the_address(provider: Provider) -> str:
    form = provider.redeeming(provider.code())
    return told(provider.http.post(provider.metadata["token_endpoint"], params=form, headers=provider.basic()))


def as_text(provider: Provider) -> str:
    headers = provider.basic() | {"Content-Type": "text/plain"}
    return told(provider.post("token_endpoint", provider.redeeming(provider.code()), headers))


def redeemed(provider: Provider, **changed: str) -> tuple[str, dict[str, Any]]:
    """A code that was redeemed, and what it gave."""
    code = provider.code(**changed)
    return code, provider.post("token_endpoint", provider.redeeming(code), provider.basic()).json()


def a_code_twice(provider: Provider) -> str:
    return provider.redeem(redeemed(provider)[0])


def its_access_token(by: str) -> Doing:
    """The fate of a code's tokens when this client brings the code again."""

    def do(provider: Provider) -> str:
        code, given = redeemed(provider)
        provider.redeem(code, by)
        return provider.userinfo(given["access_token"])

    return do


def its_refresh_token(provider: Provider) -> str:
    code, given = redeemed(provider, scope="openid offline_access", prompt="consent")
    provider.redeem(code)
    return provider.refresh(given["refresh_token"])


def again_after(by: str = "web", **mistaken: Any) -> Doing:
    """A sound token request after one that failed."""

    def do(provider: Provider) -> str:
        code = provider.code()
        assert provider.redeem(code, by, **mistaken) != "200"
        return provider.redeem(code)

    return do


def refreshing(by: str = "web", **form: Any) -> Doing:
    return lambda provider: provider.refresh(provider.offline()["refresh_token"], by, **form)


def refreshing_with_an_access_token(provider: Provider) -> str:
    return provider.refresh(provider.offline()["access_token"])


def refreshing_after_another_tried(provider: Provider) -> str:
    token = provider.offline()["refresh_token"]
    provider.refresh(token, "other")
    return provider.refresh(token)


def a_refresh_token_twice(provider: Provider) -> str:
    token = provider.offline()["refresh_token"]
    provider.refresh(token)
    return provider.refresh(token)


def three_generations(provider: Provider) -> list[str]:
    tokens = [provider.offline()["refresh_token"]]
    for _ in range(2):
        tokens.append(provider.refreshing(tokens[-1]).json()["refresh_token"])
    return tokens


def the_first_of_three(provider: Provider) -> str:
    return provider.refresh(three_generations(provider)[0])


def the_last_of_three_after_the_first(provider: Provider) -> str:
    first, _, last = three_generations(provider)
    provider.refresh(first)
    return provider.refresh(last)


def system(form: Mapping[str, str] | None = None) -> Doing:
    sent = {"grant_type": "client_credentials", **(form or {})}
    return lambda provider: told(provider.post("token_endpoint", sent, provider.basic("system")))


CASES = [
    Case("a sound request", redeeming(), "200"),
    # The form.
    Case("grant_type twice", redeeming(also=(("grant_type", "authorization_code"),)), "400 invalid_request"),
    Case("a second code", redeeming(also=(("code", "another"),)), "400 invalid_request"),
    Case(
        "an unknown parameter twice",
        redeeming(also=(("x", "1"), ("x", "2"))),
        "400 invalid_request",
        "200",
        "RFC 6749 3.2: parameters must not be included more than once",
    ),
    Case("no grant_type", redeeming(grant_type=None), "400 invalid_request"),
    Case("an empty grant_type", redeeming(grant_type=""), "400 invalid_request"),
    Case("an unknown grant", redeeming(grant_type="unheard-of"), "400 unsupported_grant_type"),
    Case("a password", redeeming(grant_type="password"), "400 unsupported_grant_type"),
    Case(
        "a grant that is not the client's",
        redeeming(grant_type="client_credentials"),
        "400 unauthorized_client",
        "400 invalid_request",
        "RFC 6749 5.2 has this word for it",
    ),
    Case("JSON", as_json, "400 invalid_request"),
    Case("text", as_text, "400 invalid_request"),
    Case("all in the address", in_the_address, "400 invalid_request"),
    # The code, its address and its verifier.
    Case("an empty code", redeeming(code=""), "400 invalid_request"),
    Case("an unknown code", redeeming(code="unheard-of"), "400 invalid_grant"),
    Case("another client's code", redeeming(by="other"), "400 invalid_grant"),
    Case("no redirect_uri", redeeming(redirect_uri=None), "400 invalid_grant", "200", REQUIRED),
    Case("an empty redirect_uri", redeeming(redirect_uri=""), "400 invalid_grant", "200", REQUIRED),
    Case("another redirect_uri", redeeming(redirect_uri=LEFT), "400 invalid_grant"),
    Case("no code_verifier", redeeming(code_verifier=None), "400 invalid_grant"),
    Case("an empty code_verifier", redeeming(code_verifier=""), "400 invalid_grant"),
    Case("a wrong code_verifier", redeeming(code_verifier=VERIFIER + "x"), "400 invalid_grant"),
    Case("a code_verifier that is too short", redeeming(code_verifier="x" * 42), "400 invalid_request"),
    Case("a code_verifier that is too long", redeeming(code_verifier="x" * 129), "400 invalid_request"),
    Case("a space in the code_verifier", redeeming(code_verifier="x" * 43 + " "), "400 invalid_request"),
    Case("fewer scopes", redeeming(scope="openid"), "200"),
    Case(
        "more scopes",
        redeeming(scope="openid offline_access run"),
        "400 invalid_scope",
        "200",
        "RFC 6749 5.2: it exceeds what the person granted, and the client should know",
    ),
    Case("a code twice", a_code_twice, "400 invalid_grant"),
    Case("the access token of a code that came twice", its_access_token("web"), "401 invalid_token"),
    Case("the refresh token of a code that came twice", its_refresh_token, "400 invalid_grant"),
    Case("the access token of a code that another client brings", its_access_token("other"), "200"),
    Case("the code after a wrong code_verifier", again_after(code_verifier=VERIFIER + "x"), "200"),
    Case("the code after a wrong redirect_uri", again_after(redirect_uri=LEFT), "200"),
    Case("the code after another client tried it", again_after(by="other"), "200"),
    # Who asks.
    Case("the client's name in the form too", naming("web"), "200"),
    Case("another client's name in the form", naming("other"), "400 invalid_request"),
    Case("the secret in both places", in_both_ways, "400 invalid_request"),
    Case(
        "the secret in the form",
        by_form,
        "401 invalid_client",
        "200",
        "OIDC Registration 2: the client registered client_secret_basic",
    ),
    Case("nobody", authenticating(), "401 invalid_client", "400 invalid_request", FAILED),
    Case("the name only", by_name("web"), "401 invalid_client"),
    Case("the name only, of a client without a secret", by_name("public"), "200"),
    Case(
        "Basic without a secret",
        authenticating(credentials("public", ""), by="public"),
        "200",
        "400 invalid_request",
        "RFC 6749 2.3.1: an empty secret may be left out, and some libraries write it in the name of such a client",
    ),
    Case("a wrong secret", authenticating(credentials("web", "wrong")), "401 invalid_client"),
    Case("an unknown client", authenticating(credentials("unheard-of", "wrong")), "401 invalid_client"),
    Case("basic in small letters", authenticating(with_scheme("basic")), "200"),
    Case(
        "two spaces after Basic",
        authenticating(with_scheme("Basic ")),
        "200",
        "400 invalid_request",
        "RFC 9110 11.4: one space or more",
    ),
    Case("another scheme", authenticating(with_scheme("Bearer")), "401 invalid_client", "400 invalid_request", FAILED),
    Case("Basic without a colon", authenticating(without_a_colon), "401 invalid_client", "400 invalid_request", FAILED),
    # Refresh tokens.
    Case("a refresh token", refreshing(), "200"),
    Case("with more scopes", refreshing(scope="openid name email"), "400 invalid_scope"),
    Case("with a scope that nobody knows", refreshing(scope="openid unheard-of"), "400 invalid_scope"),
    Case("with fewer scopes", refreshing(scope="openid"), "200"),
    Case("without openid", refreshing(scope="name"), "200"),
    Case("with an empty scope", refreshing(scope=""), "200"),
    Case("with a redirect_uri", refreshing(redirect_uri=LEFT), "200"),
    Case("another client's refresh token", refreshing("other"), "400 invalid_grant"),
    Case("a refresh token after another client tried it", refreshing_after_another_tried, "200"),
    Case("an access token for a refresh token", refreshing_with_an_access_token, "400 invalid_grant"),
    Case(
        "a refresh token twice",
        a_refresh_token_twice,
        "200",
        "400 invalid_grant",
        "whoever lost the answer may ask again for a few seconds, until the successor is used",
    ),
    Case("a refresh token whose successor was used", the_first_of_three, "400 invalid_grant"),
    Case("the newest of the family after that", the_last_of_three_after_the_first, "400 invalid_grant"),
    # Systems.
    Case("a system", system(), "200"),
    Case(
        "a system with a scope that nobody knows",
        system({"scope": "unheard-of"}),
        "400 invalid_scope",
        "200",
        "RFC 6749 3.3 allows to ignore it, but a program that goes on without what it needs fails later",
    ),
    Case(
        "a system with openid",
        system({"scope": "openid"}),
        "400 invalid_scope",
        "200",
        "a system has no person to sign in",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_both_answer_a_token_request_alike_or_we_say_why_not(case: Case, ours: Provider, theirs: Provider) -> None:
    assert (case.do(ours), case.do(theirs)) == case.expected
