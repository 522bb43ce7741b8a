"""Signatures of clients and callers, where the standards leave room for doubt, at ours and at npm's oidc-provider."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from builders.comparison import Case, Provider, told
from builders.keys import Key, a_key

pytestmark = pytest.mark.xdist_group("comparison")  # they share both providers, so one worker runs them

Doing = Callable[[Provider], str]
KEY, ANOTHER = a_key(), a_key()
BOUND = "RFC 9449 7.1 and 7.2: a token is refused with invalid_token where it comes without its proof"
FAILED = "RFC 7521 4.2.1: invalid_client where the assertion is not valid for the client"
STRICT = "RFC 9449 4.3 (4): it has the value dpop+jwt; no client in use writes otherwise"
LONG_AGO, FAR_AHEAD = 1_000_000_000, 4_000_000_000


def proving(header: dict[str, Any] | None = None, **claims: Any) -> Doing:
    """A sound code with a DPoP proof that is not."""
    return lambda provider: provider.redeem(provider.code(), headers=provider.proof(KEY, header=header, **claims))


def proving_for(change: Callable[[str], str]) -> Doing:
    """A proof for an address that is written otherwise."""
    return lambda provider: proving(htu=change(provider.metadata["token_endpoint"]))(provider)


def sending(change: Callable[[str], str]) -> Doing:
    """A sound proof, written otherwise in the request."""
    return lambda provider: provider.redeem(provider.code(), headers={"DPoP": change(provider.proof(KEY)["DPoP"])})


def a_proof_twice(provider: Provider) -> str:
    proof = provider.proof(KEY)
    provider.redeem(provider.code(), headers=proof)
    return provider.redeem(provider.code(), headers=proof)


def a_proof_of_a_failed_request(provider: Provider) -> str:
    proof = provider.proof(KEY)
    provider.redeem("unheard-of", headers=proof)
    return provider.redeem(provider.code(), headers=proof)


def redeeming_a_bound_code(key: Key | None) -> Doing:
    def do(provider: Provider) -> str:
        code = provider.code(dpop_jkt=KEY.thumbprint())
        return provider.redeem(code, headers=provider.proof(key) if key else {})

    return do


def pushing_with_another_key(provider: Provider) -> str:
    proof = provider.proof(KEY, "pushed_authorization_request_endpoint")
    return told(provider.pushing(headers=proof, dpop_jkt=ANOTHER.thumbprint()))


def calling(scheme: str = "DPoP", key: Key | None = KEY, bound: bool = True, **claims: Any) -> Doing:
    """Userinfo with a bound token and a proof, or without one."""

    def do(provider: Provider) -> str:
        token = provider.tokens(headers=provider.proof(KEY) if bound else {})["access_token"]
        proof = {}
        if key is not None:
            proof = provider.proof(key, "userinfo_endpoint", "GET", **{"access_token": token, **claims})
        return provider.userinfo(token, scheme, **proof)

    return do


def asserting(header: dict[str, Any] | None = None, **claims: Any) -> Doing:
    """A sound code with a client assertion that is not."""

    def do(provider: Provider) -> str:
        form = provider.redeeming(provider.code("signing"), **provider.assertion(header, **claims))
        return told(provider.post("token_endpoint", form))

    return do


def asserting_for(endpoint: str) -> Doing:
    return lambda provider: asserting(aud=provider.metadata[endpoint])(provider)


def asserting_for_several(provider: Provider) -> str:
    return asserting(aud=[provider.issuer, "http://elsewhere.example/"])(provider)


def an_assertion_twice(provider: Provider) -> str:
    assertion = provider.assertion()
    told(provider.post("token_endpoint", provider.redeeming(provider.code("signing"), **assertion)))
    return told(provider.post("token_endpoint", provider.redeeming(provider.code("signing"), **assertion)))


def with_a_name_beside(client: str) -> Doing:
    def do(provider: Provider) -> str:
        form = provider.redeeming(
            provider.code("signing"), **provider.assertion(), client_id=provider.clients[client].client_id
        )
        return told(provider.post("token_endpoint", form))

    return do


def with_a_secret_beside(provider: Provider) -> str:
    form = provider.redeeming(provider.code("signing"), **provider.assertion())
    return told(provider.post("token_endpoint", form, provider.basic()))


def of_another_type(provider: Provider) -> str:
    form = provider.redeeming(provider.code("signing"), **provider.assertion()) | {
        "client_assertion_type": "unheard-of"
    }
    return told(provider.post("token_endpoint", form))


def requesting(header: dict[str, Any] | None = None, outer: dict[str, Any] | None = None, **claims: Any) -> Doing:
    """A signed request, with the usual parameters beside it or others."""
    return lambda provider: provider.authorize(request=provider.request_object(header, **claims), **(outer or {}))


def requesting_alone(provider: Provider) -> str:
    pairs = {"client_id": provider.clients["web"].client_id, "request": provider.request_object()}
    return provider.shown(pairs.items())


def hinting(prompt: str = "none", key: Key | None = None, **claims: Any) -> Doing:
    return lambda provider: provider.authorize(id_token_hint=provider.id_token(key, **claims), prompt=prompt)


def hinting_for_another(provider: Provider) -> str:
    return hinting(aud=provider.clients["other"].client_id)(provider)


CASES = [
    # DPoP proofs (RFC 9449).
    Case("a proof", proving(), "200"),
    Case("a query in htu", proving_for(lambda here: f"{here}?x=1"), "200"),
    Case("a fragment in htu", proving_for(lambda here: f"{here}#x"), "200"),
    Case("a slash after htu", proving_for(lambda here: f"{here}/"), "400 invalid_dpop_proof"),
    Case("capitals in the scheme of htu", proving_for(lambda here: here.replace("http:", "HTTP:")), "200"),
    Case("capitals in the host of htu", proving_for(lambda here: here.replace("localhost", "LOCALHOST")), "200"),
    Case(
        "capitals in the path of htu",
        proving_for(lambda here: here.replace("token", "TOKEN")),
        "400 invalid_dpop_proof",
    ),
    Case(
        "an escaped letter in htu", proving_for(lambda here: here.replace("token", "%74oken")), "400 invalid_dpop_proof"
    ),
    Case("another host in htu", proving(htu="http://elsewhere.example/token"), "400 invalid_dpop_proof"),
    Case("a path alone in htu", proving(htu="/token"), "400 invalid_dpop_proof"),
    Case("no htu", proving(htu=None), "400 invalid_dpop_proof"),
    Case("htm in small letters", proving(htm="post"), "400 invalid_dpop_proof"),
    Case("another htm", proving(htm="GET"), "400 invalid_dpop_proof"),
    Case("another typ", proving({"typ": "JWT"}), "400 invalid_dpop_proof"),
    Case("a typ in capitals", proving({"typ": "DPOP+JWT"}), "400 invalid_dpop_proof", "200", STRICT),
    Case("a typ in full", proving({"typ": "application/dpop+jwt"}), "400 invalid_dpop_proof", "200", STRICT),
    Case("no key", proving({"jwk": None}), "400 invalid_dpop_proof"),
    Case("a private key", proving({"jwk": KEY.as_dict(private=True)}), "400 invalid_dpop_proof"),
    Case("another key", proving({"jwk": ANOTHER.as_dict(private=False)}), "400 invalid_dpop_proof"),
    Case("crit", proving({"crit": ["x"], "x": 1}), "400 invalid_dpop_proof"),
    Case("b64", proving({"crit": ["b64"], "b64": False}), "400 invalid_dpop_proof"),
    Case("no jti", proving(jti=None), "400 invalid_dpop_proof"),
    Case("an empty jti", proving(jti=""), "400 invalid_dpop_proof"),
    Case("a number as jti", proving(jti=7), "400 invalid_dpop_proof"),
    Case("no iat", proving(iat=None), "400 invalid_dpop_proof"),
    Case("a text as iat", proving(iat="now"), "400 invalid_dpop_proof"),
    Case("a fraction in iat", lambda provider: proving(iat=time.time())(provider), "200"),
    Case("an old iat", proving(iat=LONG_AGO), "400 invalid_dpop_proof"),
    Case("an iat to come", proving(iat=FAR_AHEAD), "400 invalid_dpop_proof"),
    Case("an end that has come", proving(exp=LONG_AGO), "400 invalid_dpop_proof"),
    Case("a beginning to come", proving(nbf=FAR_AHEAD), "400 invalid_dpop_proof"),
    Case(
        "a nonce of nobody",
        proving(nonce="unheard-of"),
        "400 use_dpop_nonce",
        "400 invalid_dpop_proof",
        "RFC 9449 8: who shows a nonce that is not ours gets one; that provider is not configured to give any",
    ),
    Case(
        "an empty header",
        sending(lambda _: ""),
        "400 invalid_dpop_proof",
        "200",
        "RFC 9449 5: a header without a sound proof is not the same as none",
    ),
    Case("two proofs in a header", sending(lambda proof: f"{proof}, {proof}"), "400 invalid_dpop_proof"),
    Case(
        "a proof twice",
        a_proof_twice,
        "400 invalid_dpop_proof",
        "400 invalid_grant",
        "RFC 9449 5: an invalid proof is called so",
    ),
    Case(
        "a proof of a failed request",
        a_proof_of_a_failed_request,
        "400 invalid_dpop_proof",
        "200",
        "RFC 9449 11.1: it was seen, whatever became of the request",
    ),
    Case("a bound code without a proof", redeeming_a_bound_code(None), "400 invalid_grant"),
    Case("a bound code with another key", redeeming_a_bound_code(ANOTHER), "400 invalid_grant"),
    Case(
        "pushing with another key than dpop_jkt",
        pushing_with_another_key,
        "400 invalid_dpop_proof",
        "400 invalid_request",
        "RFC 9449 10.1 refuses it without a word for it",
    ),
    Case("a call", calling(), "200"),
    Case("a call with the scheme in small letters", calling("dpop"), "200"),
    Case("a call with Bearer and a proof", calling("Bearer"), "401 invalid_token", "400 invalid_request", BOUND),
    Case("a call with Bearer", calling("Bearer", key=None), "401 invalid_token"),
    Case("a call without a proof", calling(key=None), "401 invalid_token", "400 invalid_request", BOUND),
    Case("a call with another key", calling(key=ANOTHER), "401 invalid_token"),
    Case("a call without ath", calling(access_token=None), "401 invalid_dpop_proof"),
    Case("a call with another ath", calling(access_token="another"), "401 invalid_dpop_proof"),
    Case("a call with a token that is bound to nothing", calling(bound=False), "401 invalid_token"),
    # Client assertions (RFC 7523).
    Case("an assertion", asserting(), "200"),
    Case("an assertion twice", an_assertion_twice, "401 invalid_client"),
    Case("an assertion for the token endpoint", asserting_for("token_endpoint"), "200"),
    Case("an assertion for another endpoint", asserting_for("userinfo_endpoint"), "401 invalid_client"),
    Case(
        "an assertion for several",
        asserting_for_several,
        "401 invalid_client",
        "200",
        "draft-ietf-oauth-rfc7523bis 7: whoever else it is for could show it here",
    ),
    Case("an assertion for somebody else", asserting(aud="http://elsewhere.example/"), "401 invalid_client"),
    Case("an assertion for nobody", asserting(aud=None), "401 invalid_client"),
    Case("an assertion that has ended", asserting(exp=LONG_AGO), "401 invalid_client"),
    Case("an assertion without an end", asserting(exp=None), "401 invalid_client"),
    Case(
        "an assertion that ends in a hundred years",
        asserting(exp=FAR_AHEAD),
        "401 invalid_client",
        "200",
        "RFC 7523 3 (4): an end unreasonably far away may be refused; its jti would have to be kept as long",
    ),
    Case("an assertion to come", asserting(nbf=FAR_AHEAD), "401 invalid_client"),
    Case(
        "an assertion made to come",
        asserting(iat=FAR_AHEAD),
        "401 invalid_client",
        "200",
        "FAPI 2.0 5.3.2.1 (13): more than 60 seconds ahead must be refused",
    ),
    Case("an assertion without iat", asserting(iat=None), "200"),
    Case("an assertion without jti", asserting(jti=None), "401 invalid_client"),
    Case("an assertion without sub", asserting(sub=None), "401 invalid_client"),
    Case("an assertion without iss", asserting(iss=None), "401 invalid_client"),
    Case("an assertion of somebody else", asserting(iss="unheard-of"), "401 invalid_client"),
    Case("an assertion about somebody else", asserting(sub="unheard-of"), "401 invalid_client"),
    Case("an assertion with crit", asserting({"crit": ["x"], "x": 1}), "401 invalid_client"),
    Case("an assertion with another kid", asserting({"kid": "unheard-of"}), "401 invalid_client"),
    Case("an assertion of another type", of_another_type, "401 invalid_client", "400 invalid_request", FAILED),
    Case("an assertion with the name beside it", with_a_name_beside("signing"), "200"),
    Case(
        "an assertion with another name beside it",
        with_a_name_beside("web"),
        "401 invalid_client",
        "400 invalid_request",
        FAILED,
    ),
    Case("an assertion with a secret beside it", with_a_secret_beside, "400 invalid_request"),
    # Signed requests (RFC 9101).
    Case("a signed request", requesting(), "code"),
    Case("a signed request alone", requesting_alone, "code"),
    Case("a signed request with another scope beside it", requesting(outer={"scope": "unheard-of"}), "code"),
    Case("a signed request with another state beside it", requesting(outer={"state": "another"}), "code"),
    Case(
        "a signed request with another place beside it",
        requesting(outer={"redirect_uri": "http://elsewhere.example/"}),
        "code",
    ),
    Case(
        "a signed request with another response_type beside it",
        requesting(outer={"response_type": "unheard-of"}),
        "code",
        "tells invalid_request_object",
        "RFC 9101 6.3: what is beside it does not count; OIDC Core 6.1, which wants both to be equal, is older",
    ),
    Case("a signed request of another place", requesting(redirect_uri="http://elsewhere.example/"), "shows"),
    Case("a signed request of another client", requesting(client_id="unheard-of"), "tells invalid_request_object"),
    Case(
        "a signed request without a client",
        requesting(client_id=None),
        "tells invalid_request_object",
        "shows",
        "RFC 9101 6: told at the place beside it, which is the client's",
    ),
    Case("a signed request without iss", requesting(iss=None), "tells invalid_request_object"),
    Case("a signed request of another iss", requesting(iss="unheard-of"), "tells invalid_request_object"),
    Case("a signed request without aud", requesting(aud=None), "tells invalid_request_object"),
    Case(
        "a signed request for somebody else",
        requesting(aud="http://elsewhere.example/"),
        "tells invalid_request_object",
    ),
    Case("a signed request that has ended", requesting(exp=LONG_AGO), "tells invalid_request_object"),
    Case("a signed request without an end", requesting(exp=None), "code"),
    Case("a signed request to come", requesting(nbf=FAR_AHEAD), "tells invalid_request_object"),
    Case("a signed request in a signed request", requesting(request="x.y.z"), "tells invalid_request_object"),
    Case("a signed request with a request_uri", requesting(request_uri="urn:x"), "tells invalid_request_object"),
    Case(
        "a signed request with sub",
        lambda p: requesting(sub=p.clients["web"].client_id)(p),
        "tells invalid_request_object",
        "code",
        "RFC 9101 10.8: with one it could be a client assertion",
    ),
    Case("a signed request of typ JWT", requesting({"typ": "JWT"}), "code"),
    Case(
        "a signed request of another typ",
        requesting({"typ": "at+jwt"}),
        "tells invalid_request_object",
        "code",
        "RFC 9101 10.8: what was made for something else does not count",
    ),
    Case("a signed request without typ", requesting({"typ": None}), "code"),
    Case("a signed request with crit", requesting({"crit": ["x"], "x": 1}), "tells invalid_request_object"),
    Case("a signed max_age as a number", requesting(max_age=31536000), "code"),
    Case("a signed max_age as a text", requesting(max_age="31536000"), "code"),
    Case("signed claims as an object", requesting(claims={"id_token": {"sub": None}}), "code"),
    # ID tokens as a hint (OIDC Core 3.1.2.1).
    Case("a hint", hinting(), "code"),
    Case("a hint that has ended", hinting(iat=LONG_AGO, exp=LONG_AGO + 3600), "code"),
    Case("a hint of another person", hinting(sub="unheard-of"), "tells login_required"),
    Case("a hint of another client", hinting_for_another, "tells invalid_request"),
    Case("a hint of another issuer", hinting(iss="http://elsewhere.example/"), "tells invalid_request"),
    Case("a hint of another key", hinting(key=ANOTHER), "tells invalid_request"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_both_answer_what_is_signed_alike_or_we_say_why_not(case: Case, ours: Provider, theirs: Provider) -> None:
    assert (case.do(ours), case.do(theirs)) == case.expected
