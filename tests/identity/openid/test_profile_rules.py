"""All that a profile forbids is refused, and the refusal says where that is written.

The table of profiles is walked: each of its rules has a request here that breaks it.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
from builders.clients import a_client, a_request, answer_of, authorize, basic
from builders.keys import ISSUER, a_key, a_proof, an_assertion, public
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.profiles.rules import AUTH_METHODS, OUR_ALGORITHMS, PROFILES, RESPONSE_MODES
from identity.clients.registry.actions import NewClient
from identity.clients.registry.rules import DEVICE_CODE, PERSON_SCOPES, TOKEN_EXCHANGE, scopes_of
from kernel.base.errors import Invalid

KEY = a_key()
FORBIDDING = [(profile, name) for profile, it in PROFILES.items() for name in it.rules]


@dataclass
class Scene:
    """A client of the profile, and a browser in which nobody is signed in."""

    app: Flask
    browser: FlaskClient
    profile: str

    def made(self, **others: Any) -> NewClient:
        if self.profile == "fapi2":
            others |= {"jwks": public(KEY)}
        with self.app.app_context():
            return a_client(self.profile, **others)

    def told_at_authorize(self, **changed: str | None) -> str:
        return answer_of(authorize(self.browser, self.made(), **changed))["error_description"]

    def told_at_par(self, **changed: str | None) -> str:
        made = self.made()
        return self._told("/openid/par", made, a_request(made, **changed), None)

    def told_at_token(self, form: dict[str, str], proof: dict[str, str] | None = None) -> str:
        return self._told("/openid/token", self.made(), form, proof)

    def _told(self, path: str, made: NewClient, form: dict[str, str], proof: dict[str, str] | None) -> str:
        if self.profile == "fapi2":
            form, headers = form | an_assertion(KEY, made.client.client_id), proof or {}
        else:
            headers = basic(made.client.client_id, made.secret)
        answer = self.browser.post(path, data=form, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text
        return str(answer.get_json()["error_description"])

    def told_at_registration(self, **asked: Any) -> list[str]:
        with pytest.raises(Invalid) as refused:
            self.made(**asked)
        return [str(message) for messages in refused.value.fields.values() for message in messages]


def every_other_method(scene: Scene) -> list[str]:
    others = set(AUTH_METHODS) - set(PROFILES[scene.profile].auth_methods)
    return [one for method in sorted(others) for one in scene.told_at_registration(auth_method=method)]


def every_other_algorithm(scene: Scene) -> list[str]:
    others = set(OUR_ALGORITHMS) - set(PROFILES[scene.profile].signing_algorithms)
    options = [f"{what}_signed_response_alg" for what in ("id_token", "userinfo", "introspection", "authorization")]
    asked = [{option: algorithm} for algorithm in sorted(others) for option in options]
    return [one for each in asked for one in scene.told_at_registration(options=each)]


def no_challenge(scene: Scene) -> list[str]:
    tell = scene.told_at_par if scene.profile == "fapi2" else scene.told_at_authorize
    plain: dict[str, str | None] = {"code_challenge": "x" * 43, "code_challenge_method": "plain"}
    return [tell(code_challenge=None, code_challenge_method=None), tell(**plain)]


def every_other_mode(scene: Scene) -> list[str]:
    others = set(RESPONSE_MODES) - set(PROFILES[scene.profile].response_modes)
    return [scene.told_at_authorize(response_mode=mode) for mode in sorted(others)]


def no_proof(scene: Scene) -> list[str]:
    return [scene.told_at_token({"grant_type": "authorization_code", "code": "x" * 43, "redirect_uri": "x"})]


def no_nonce(scene: Scene) -> list[str]:
    form = {"grant_type": "authorization_code", "code": "x" * 43, "redirect_uri": "x"}
    return [scene.told_at_token(form, a_proof(KEY, url=f"{ISSUER}/token"))]


def other_audience(scene: Scene) -> list[str]:
    made = scene.made()
    told = []
    for audience in (f"{ISSUER}/token", [ISSUER], f"{ISSUER}/par"):
        form = a_request(made) | an_assertion(KEY, made.client.client_id, aud=audience)
        told.append(scene.browser.post("/openid/par", data=form).get_json()["error_description"])
    return told


def device(scene: Scene) -> list[str]:
    return [scene.told_at_token({"grant_type": DEVICE_CODE, "device_code": "x" * 43})]


def exchange(scene: Scene) -> list[str]:
    return [scene.told_at_token({"grant_type": TOKEN_EXCHANGE, "subject_token": "x"})]


def every_other_scope(scene: Scene) -> list[str]:
    others = set(PERSON_SCOPES) - set(scopes_of(scene.profile))
    return [one for scope in sorted(others) for one in scene.told_at_registration(scopes=["openid", scope])]


BREAKING: dict[str, Callable[[Scene], list[str]]] = {
    "auth_methods": every_other_method,
    "signing_algorithms": every_other_algorithm,
    "scopes": every_other_scope,
    "state_required": lambda scene: [scene.told_at_authorize(state=None)],
    "pkce_required": no_challenge,
    "response_modes": every_other_mode,
    "par_required": lambda scene: [scene.told_at_authorize()],
    "sender_constrained": no_proof,
    "nonce_required": no_nonce,
    "issuer_is_only_audience": other_audience,
    "device_flow": device,
    "token_exchange": exchange,
    "claims_in_id_token": lambda scene: scene.told_at_registration(options={"claims_in_id_token": True}),
}


@pytest.mark.parametrize(("profile", "name"), FORBIDDING)
def test_what_a_profile_forbids_is_refused_with_its_rule(
    app: Flask, client: FlaskClient, profile: str, name: str
) -> None:
    told = BREAKING[name](Scene(app, client, profile))
    assert told
    rule = PROFILES[profile].rules[name]
    assert [one for one in told if rule not in one] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_demand_of_a_profile_has_its_rule(profile: str) -> None:
    it = PROFILES[profile]
    narrowed = {
        "auth_methods": set(it.auth_methods) < set(AUTH_METHODS),
        "signing_algorithms": set(it.signing_algorithms) < set(OUR_ALGORITHMS),
        "scopes": set(scopes_of(profile)) < set(PERSON_SCOPES),
        "response_modes": set(it.response_modes) < set(RESPONSE_MODES),
        "device_flow": not it.device_flow,
        "token_exchange": not it.token_exchange,
        "claims_in_id_token": not it.claims_in_id_token,
    }
    demands = {one.name for one in fields(it) if one.name.endswith(("_required", "_constrained", "_audience"))}
    assert {*narrowed, *demands} == set(BREAKING)
    expected = {name for name, is_so in narrowed.items() if is_so} | {name for name in demands if getattr(it, name)}
    assert set(it.rules) == expected


WRITTEN: list[tuple[dict[str, str], str]] = [
    ({"grant_type": "client_credentials"}, "RFC 6749 4.4"),
    ({"grant_type": "refresh_token", "refresh_token": "x"}, "OpenID Connect Core 11"),
    ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "x"}, "RFC 7523 3.1"),
]


def test_a_grant_that_is_not_for_the_client_says_why(app: Flask, client: FlaskClient) -> None:
    for form, rule in WRITTEN:
        assert rule in Scene(app, client, "standard").told_at_token(form)


def test_what_no_profile_allows_says_where_it_is_written(app: Flask, client: FlaskClient) -> None:
    scene = Scene(app, client, "standard")
    assert "RFC 9700 2.1.2" in scene.told_at_authorize(response_type="token")
    assert "RFC 9700 2.1.1" in scene.told_at_authorize(code_challenge_method="plain")
    for uri in ("http://tramites.example.cl/", "com.example:/entrada"):
        with app.app_context(), pytest.raises(Invalid) as refused:
            a_client("standard", redirect_uris=[uri])
        assert refused.value.fields["redirect_uris"]
