"""An application's choices about its ID tokens: how they are signed, and whether they tell names and e-mail."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders.clients import a_client, a_client_in_use, authorize, basic, decide, token_form, tokens_for, userinfo
from builders.doors import DOORS
from builders.identity import an_agency, an_official, sign_in_for
from builders.requests import agree
from builders.sandbox import a_developer
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from identity.clients.registry.actions import NewClient, change_registration
from identity.clients.registry.queries import any_client, propose, registered_client, registration_of
from identity.clients.registry.rules import needing_approval
from identity.people.models import Person
from kernel.base.errors import Invalid
from kernel.jobs.access import Principal, act_as
from portal.cli import context
from portal.cli.client import client as client_commands

ALGORITHM = "id_token_signed_response_alg"
IN_ID_TOKEN = "claims_in_id_token"
SCOPE = "openid run name email"
TOLD = {"name", "given_name", "family_name", "email", "email_verified"}
SANDBOX = "/sandbox/applications"
APPLICATION = {"name": "Trámites", "profile": "standard", "redirect_uris": "https://tramites.example.cl/entrada"}


def opened(browser: FlaskClient, token: str) -> Any:
    """The ID token, verified with the published keys, as a library without ours would."""
    keys = KeySet.import_key_set(browser.get("/openid/jwks").get_json())
    return jwt.decode(token, keys, algorithms=["ES256", "RS256", "EdDSA", "Ed25519"])


def an_id_token(app: Flask, browser: FlaskClient, profile: str = "standard", **options: Any) -> Any:
    with app.app_context():
        made = a_client(profile, options=options)
    return opened(browser, tokens_for(browser, made, scope=SCOPE)["id_token"])


class TestAlgorithm:
    """The signature of ID tokens."""

    @pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA", "Ed25519"])
    def test_the_one_that_was_chosen_signs(
        self, app: Flask, client: FlaskClient, person: Person, algorithm: str
    ) -> None:
        assert an_id_token(app, client, **{ALGORITHM: algorithm}).header["alg"] == algorithm

    def test_without_a_choice_it_is_as_usual_with_the_profile(
        self, app: Flask, client: FlaskClient, person: Person
    ) -> None:
        assert an_id_token(app, client).header["alg"] == "ES256"
        assert an_id_token(app, client, "clave-unica").header["alg"] == "RS256"

    def test_discovery_offers_what_may_be_chosen_and_the_keys_are_there(self, client: FlaskClient) -> None:
        offered = client.get("/openid/.well-known/openid-configuration").get_json()
        assert set(offered["id_token_signing_alg_values_supported"]) == {"ES256", "RS256", "EdDSA", "Ed25519"}
        kinds = {key["kty"] for key in client.get("/openid/jwks").get_json()["keys"] if key["use"] == "sig"}
        assert kinds == {"EC", "RSA", "OKP"}

    @pytest.mark.parametrize(
        ("profile", "algorithm", "rule"),
        [
            ("clave-unica", "EdDSA", "ClaveUnica integration manual"),
            ("standard", "HS256", "RFC 7518"),
            ("standard", "none", "RFC 7518"),
        ],
    )
    def test_what_the_profile_forbids_is_refused_with_its_rule(
        self, app: Flask, profile: str, algorithm: str, rule: str
    ) -> None:
        with app.app_context(), pytest.raises(Invalid) as refused:
            a_client(profile, options={ALGORITHM: algorithm})
        assert rule in str(refused.value.fields[ALGORITHM][0])


class TestRegisteredByItself:
    """RFC 7591 and OpenID Connect Registration 2."""

    @staticmethod
    def told(browser: FlaskClient, **metadata: Any) -> dict[str, Any]:
        answer = browser.post("/openid/register", json={"redirect_uris": ["http://127.0.0.1:9/callback"], **metadata})
        found: dict[str, Any] = answer.get_json()
        return found

    def test_without_a_wish_it_is_rs256(self, client: FlaskClient) -> None:
        assert self.told(client)[ALGORITHM] == "RS256"
        assert self.told(client, profile="clave-unica")[ALGORITHM] == "RS256"

    def test_a_wish_counts(self, client: FlaskClient) -> None:
        for algorithm in ("ES256", "EdDSA", "RS256"):
            assert self.told(client, **{ALGORITHM: algorithm})[ALGORITHM] == algorithm

    def test_fapi_has_no_rs256(self, client: FlaskClient) -> None:
        fapi = {"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt"}
        fapi |= {"jwks_uri": "https://tramites.example.cl/jwks"}
        refused = self.told(client, **fapi, **{ALGORITHM: "RS256"})
        assert refused["error"] == "invalid_client_metadata"
        assert "FAPI 2.0 Security Profile 5.4.1" in refused["error_description"]

    def test_names_in_the_id_token_are_a_choice_too(self, client: FlaskClient) -> None:
        assert self.told(client, **{IN_ID_TOKEN: True})[IN_ID_TOKEN] is True
        assert IN_ID_TOKEN not in self.told(client)
        refused = self.told(client, profile="clave-unica", **{IN_ID_TOKEN: True})
        assert refused["error"] == "invalid_client_metadata"


Door = Callable[..., Any]


class TestClaims:
    """Whether ID tokens tell names and e-mail."""

    @pytest.fixture
    def telling(self, app: Flask) -> NewClient:
        with app.app_context():
            scopes = ["openid", "run", "name", "email", "offline_access"]
            return a_client("standard", scopes=scopes, options={IN_ID_TOKEN: True})

    def test_without_the_choice_they_tell_nothing_of_the_person(
        self, app: Flask, client: FlaskClient, person: Person
    ) -> None:
        assert not (TOLD | {"RolUnico"}) & set(an_id_token(app, client).claims)

    @pytest.mark.parametrize("door", DOORS)
    def test_they_tell_what_userinfo_tells_but_never_the_run(
        self, client: FlaskClient, person: Person, telling: NewClient, door: Door
    ) -> None:
        code = agree(client, authorize(client, telling, scope=SCOPE)).location.partition("code=")[2].partition("&")[0]
        answer = door(client, "/openid/token", method="POST", data=token_form(telling, code)).get_json()
        claims = opened(client, answer["id_token"]).claims
        told = userinfo(client, answer["access_token"]).get_json()
        assert {name: claims[name] for name in TOLD} == {name: told[name] for name in TOLD}
        assert told["RolUnico"]
        assert "RolUnico" not in claims

    def test_they_tell_no_more_than_was_shared(self, client: FlaskClient, person: Person, telling: NewClient) -> None:
        claims = opened(client, tokens_for(client, telling, scope="openid run email")["id_token"]).claims
        assert TOLD & set(claims) == {"email", "email_verified"}
        assert not TOLD & set(opened(client, tokens_for(client, telling, scope="openid run")["id_token"]).claims)

    def test_those_of_a_refresh_tell_the_same(self, client: FlaskClient, person: Person, telling: NewClient) -> None:
        first = tokens_for(client, telling, scope=f"{SCOPE} offline_access")
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        proven = basic(telling.client.client_id, telling.secret)
        again = client.post("/openid/token", data=form, headers=proven).get_json()
        before, after = (opened(client, one["id_token"]).claims for one in (first, again))
        assert {name: before[name] for name in TOLD} == {name: after[name] for name in TOLD}

    def test_a_request_for_the_run_is_still_answered(
        self, client: FlaskClient, person: Person, telling: NewClient
    ) -> None:
        asked = tokens_for(client, telling, scope=SCOPE, claims='{"id_token": {"RolUnico": null}}')
        assert set(opened(client, asked["id_token"]).claims) >= {"RolUnico", "name", "email"}

    def test_the_person_is_told_before_and_after(
        self, client: FlaskClient, person: Person, telling: NewClient, made: NewClient
    ) -> None:
        said = "también en el comprobante firmado"
        page = authorize(client, telling, scope=SCOPE)
        assert said in page.text
        assert said not in authorize(client, telling, scope="openid run").text
        assert said not in authorize(client, made, scope=SCOPE).text
        decide(client, page, "allow")
        assert said in client.get("/account/applications").text

    def test_who_agreed_before_the_application_chose_so_is_asked_again(
        self, app: Flask, client: FlaskClient, person: Person, made: NewClient
    ) -> None:
        before = tokens_for(client, made, scope=SCOPE)
        assert not TOLD & set(opened(client, before["id_token"]).claims)
        self.choose(app, made)
        assert "error=consent_required" in authorize(client, made, scope=SCOPE, prompt="none").location
        assert authorize(client, made, scope="openid run").status_code == 303, "it tells no more than before"
        page = authorize(client, made, scope=SCOPE)
        assert "también en el comprobante firmado" in page.text
        assert "también en el comprobante firmado" not in client.get("/account/applications").text
        decide(client, page, "allow")
        assert authorize(client, made, scope=SCOPE).status_code == 303
        assert "también en el comprobante firmado" in client.get("/account/applications").text
        assert opened(client, tokens_for(client, made, scope=SCOPE)["id_token"]).claims["email"]

    def test_what_was_granted_before_the_application_chose_so_tells_what_it_told(
        self, app: Flask, client: FlaskClient, person: Person
    ) -> None:
        with app.app_context():
            made = a_client("standard", scopes=["openid", "run", "name", "email", "offline_access"])
        first = tokens_for(client, made, scope=f"{SCOPE} offline_access")
        self.choose(app, made)
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        again = client.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret)).get_json()
        assert not TOLD & set(opened(client, again["id_token"]).claims)

    @staticmethod
    def choose(app: Flask, made: NewClient) -> None:
        with app.app_context():
            act_as(Principal(kind="system", id="test", name="The test"))
            change_registration(propose(any_client(made.client.client_id), options={IN_ID_TOKEN: True}))

    def test_the_authority_decides_of_it_once_people_use_the_application(self, app: Flask) -> None:
        with app.app_context():
            an_agency("AE001", "Organismo")
            made = a_client_in_use("https://tramites.example.cl/entrada")
            before = registration_of(any_client(made.client.client_id))
            after = replace(before, options={**before.options, IN_ID_TOKEN: True})
            assert needing_approval(before, after) == ["options"]
            assert needing_approval(after, before) == []


class TestWhereItIsChosen:
    """Sandbox, agency's pages, command line; the interface has it among the options."""

    def test_in_the_sandbox(self, app: Flask, client: FlaskClient) -> None:
        a_developer(client)
        page = client.post(f"{SANDBOX}/new", data=APPLICATION | {ALGORITHM: "RS256", IN_ID_TOKEN: "y"})
        (client_id,) = set(re.findall(r"\b[0-9a-f]{32}\b", page.text))
        edit = f"{SANDBOX}/{client_id}/edit"
        assert re.search(r'<option selected value="RS256">', client.get(edit).text)
        with app.app_context():
            assert any_client(client_id).options == {ALGORITHM: "RS256", IN_ID_TOKEN: True}
        assert client.post(edit, data=APPLICATION | {ALGORITHM: ""}).status_code == 303
        with app.app_context():
            assert any_client(client_id).options == {}
        refused = client.post(f"{SANDBOX}/new", data=APPLICATION | {"profile": "clave-unica", ALGORITHM: "EdDSA"})
        assert refused.status_code == 422
        assert f'id="{ALGORITHM}-error"' in refused.text

    def test_on_the_agencys_pages(self, app: Flask, client: FlaskClient) -> None:
        with app.app_context():
            an_agency("AE001", "Organismo")
            official = an_official("AE001", "administrator")
        sign_in_for(client, official, "AE001")
        chosen = {**APPLICATION, "contacts": "ana@example.cl", ALGORITHM: "RS256", IN_ID_TOKEN: "y"}
        page = client.post("/agency/applications/new", data=chosen)
        found = re.search(r"<code>([0-9a-f]{32})</code>", page.text)
        assert found
        with app.app_context():
            registered = registered_client(found[1])
            assert registered is not None
            assert registered.options == {ALGORITHM: "RS256", IN_ID_TOKEN: True}
        shown = client.get(f"/agency/applications/{found[1]}").text
        assert "RS256" in shown
        assert '<option selected value="RS256">' in client.get(f"/agency/applications/{found[1]}/edit").text
        refused = client.post("/agency/applications/new", data=chosen | {"profile": "clave-unica"})
        assert refused.status_code == 422
        assert f'id="{IN_ID_TOKEN}-error"' in refused.text

    def test_on_the_command_line(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(context, "quiet_application", lambda: app)

        def told(*arguments: str) -> dict[str, Any]:
            result = CliRunner().invoke(client_commands, [*arguments, "--json"])
            assert result.exit_code == 0, result.output
            found: dict[str, Any] = json.loads(result.stdout)
            return found

        usual = ("create", "--name", "Prueba", "--redirect-uri", "http://127.0.0.1:9/callback", "--profile", "standard")
        assert told(*usual)["id_token_alg"] == "ES256"
        made = told(*usual, "--id-token-alg", "RS256", "--claims-in-id-token")
        assert made["id_token_alg"] == "RS256"
        assert told("change", made["client_id"], "--id-token-alg", "EdDSA")["id_token_alg"] == "EdDSA"
        with app.app_context():
            assert any_client(made["client_id"]).options == {ALGORITHM: "EdDSA", IN_ID_TOKEN: True}
        told("change", made["client_id"], "--no-claims-in-id-token")
        with app.app_context():
            assert any_client(made["client_id"]).options[IN_ID_TOKEN] is False
