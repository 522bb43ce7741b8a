"""An agency's system: its token, and where it is accepted."""

import base64
import json
from datetime import timedelta

import pytest
from builders.clients import a_client, a_system, basic, machine_token, tokens_for
from builders.identity import a_person, an_agency, sign_in
from builders.own_keys import own_key
from builders.together import at_once
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from identity.clients.registry.actions import NewClient, revoke_client, rotate_secret
from identity.clients.registry.queries import registered_client
from identity.openid.rules import InvalidToken
from identity.openid.tokens.bearer import bearer_principal
from kernel.base import clock
from kernel.jobs.access import Principal

BINDING = {"agreement": "CON-1", "service": "SRV-000001", "version": "1"}


@pytest.fixture
def system(app: Flask) -> NewClient:
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
        return a_system("AE001", ["communications.send", "communications.receive"])


@pytest.fixture
def bound(app: Flask, system: NewClient) -> NewClient:
    with app.app_context():
        return a_system("AE001", ["gateway"], BINDING)


def principal_at(app: Flask, path: str, token: str) -> Principal | None:
    """The bearer of the token at this address."""
    with app.test_request_context(path, headers={"Authorization": f"Bearer {token}"}):
        return bearer_principal()


def test_the_token_is_a_signed_jwt_that_says_whose_it_is(client: FlaskClient, bound: NewClient) -> None:
    token = machine_token(client, bound)
    keys = KeySet.import_key_set(client.get("/openid/jwks").get_json())
    found = jwt.decode(token, keys, algorithms=["ES256"])
    assert (found.header["typ"], found.header["alg"]) == ("at+jwt", "ES256")
    claims = found.claims
    assert claims["aud"] == "urn:cordillera:service:SRV-000001:1"
    assert (claims["sub"], claims["client_id"]) == (bound.client.client_id,) * 2
    assert (claims["agency"], claims["agreement"], claims["service"], claims["version"]) == (
        "AE001",
        "CON-1",
        "SRV-000001",
        "1",
    )
    assert claims["exp"] - claims["iat"] == 600
    assert claims["iss"] == "http://localhost/openid"
    assert claims["jti"]


def test_issuing_writes_nothing_and_scopes_may_be_fewer(client: FlaskClient, system: NewClient) -> None:
    answer = client.post(
        "/openid/token",
        data={"grant_type": "client_credentials", "scope": "communications.send"},
        headers=basic(system.client.client_id, system.secret),
    ).get_json()
    assert (answer["scope"], answer["token_type"], answer["expires_in"]) == ("communications.send", "Bearer", 600)
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}


def test_a_system_gets_no_scope_that_it_does_not_have(client: FlaskClient, system: NewClient) -> None:
    for scope in ("everything", "openid", "communications.send everything"):
        response = client.post(
            "/openid/token",
            data={"grant_type": "client_credentials", "scope": scope},
            headers=basic(system.client.client_id, system.secret),
        )
        assert response.get_json()["error"] == "invalid_scope", scope


def test_at_our_interfaces_the_bearer_is_the_agencys_system(
    app: Flask, client: FlaskClient, system: NewClient, bound: NewClient
) -> None:
    principal = principal_at(app, "/api/v1/communications", machine_token(client, system))
    assert principal is not None
    assert (principal.kind, principal.id, principal.acting_agency.code) == ("machine", system.client.client_id, "AE001")
    assert principal.scopes == {"communications.send", "communications.receive"}
    behind = principal_at(app, "/gateway/SRV-000001/1/x", machine_token(client, bound))
    assert behind is not None
    assert behind.service_binding == BINDING


def test_a_token_for_a_service_is_no_good_elsewhere(app: Flask, client: FlaskClient, bound: NewClient) -> None:
    with pytest.raises(InvalidToken):
        principal_at(app, "/api/v1/communications", machine_token(client, bound))


def test_pages_know_nothing_of_tokens(app: Flask, client: FlaskClient, system: NewClient) -> None:
    assert principal_at(app, "/account", machine_token(client, system)) is None


def test_a_token_ends_after_ten_minutes_and_with_its_client(app: Flask, client: FlaskClient, system: NewClient) -> None:
    token = machine_token(client, system)
    with clock.shifted(timedelta(minutes=10, seconds=1)), pytest.raises(InvalidToken):
        principal_at(app, "/api/v1/x", token)
    assert principal_at(app, "/api/v1/x", token) is not None
    with app.app_context():
        revoke_client(system.client.client_id)
    with pytest.raises(InvalidToken):
        principal_at(app, "/api/v1/x", token)


def test_forged_and_mangled_tokens_are_refused(app: Flask, client: FlaskClient, system: NewClient) -> None:
    good = machine_token(client, system)
    header, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    with app.app_context():
        ours = own_key("openid", "ES256")
        rsa = own_key("openid", "RS256")
    other = ECKey.generate_key("P-256")
    forged = [
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        "..",
        "x",
        _joined({"alg": "none", "typ": "at+jwt"}, claims) + ".",
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": ours.kid}, claims, other),
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "jwk": other.as_dict(private=False)}, claims, other),
        jwt.encode({"alg": "ES256", "typ": "JWT", "kid": ours.kid}, claims, ours),
        jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": rsa.kid}, claims, rsa),
        jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": ours.kid}, claims, OctKey.import_key(b"k" * 32)),
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": ours.kid}, {**claims, "iss": "https://other/"}, ours),
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": ours.kid}, {**claims, "exp": "never"}, ours),
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": ours.kid}, {**claims, "client_id": "other"}, ours),
    ]
    for token in forged:
        with pytest.raises(InvalidToken):
            principal_at(app, "/api/v1/x", token)
    assert principal_at(app, "/api/v1/x", good) is not None


def _joined(header: dict[str, str], claims: dict[str, object]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join(parts)


def test_a_persons_tokens_are_no_good_at_our_interfaces(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("standard")
    sign_in(client, person)
    given = tokens_for(client, made)
    for name in ("access_token", "id_token"):
        with pytest.raises(InvalidToken):
            principal_at(app, "/api/v1/x", given[name])


def test_the_refusal_says_so_in_the_header(client: FlaskClient, app: Flask) -> None:
    response = client.get("/api/v1/communications", headers={"Authorization": "Bearer x"})
    if response.status_code != 404:  # where the interoperability block is not deployed
        assert response.status_code == 401
        assert "invalid_token" in response.headers["WWW-Authenticate"]


def test_two_secrets_live_at_a_time_and_the_older_one_seven_days(
    app: Flask, client: FlaskClient, system: NewClient
) -> None:
    client_id = system.client.client_id
    secrets = [system.secret or ""]
    for _ in range(2):
        with app.app_context():
            secrets.append(rotate_secret(client_id))

    def works(secret: str) -> bool:
        response = client.post(
            "/openid/token", data={"grant_type": "client_credentials"}, headers=basic(client_id, secret)
        )
        return response.status_code == 200

    assert [works(secret) for secret in secrets] == [False, True, True]
    with clock.shifted(timedelta(days=7, seconds=1)):
        assert [works(secret) for secret in secrets] == [False, False, True]


def test_secrets_rotated_at_once_are_two_in_the_end(app: Flask, system: NewClient) -> None:
    client_id = system.client.client_id

    def rotate(_: FlaskClient) -> str:
        with app.app_context():
            return rotate_secret(client_id)

    secrets = at_once(app, [rotate] * 4)
    with app.app_context():
        found = registered_client(client_id)
        assert found is not None
        assert sum(found.knows_secret(secret, clock.now()) for secret in secrets) == 2
