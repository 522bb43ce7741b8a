"""Clients that prove who they are, or what their tokens are bound to, by a certificate (RFC 8705)."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import quote

import pytest
from builders.apps import under_test
from builders.clients import a_system, basic
from builders.identity import an_agency
from builders.keys import a_certificate, a_key, der, public
from builders.settings import behind_a_proxy
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from identity.clients.registry.actions import NewClient
from identity.openid.rules import InvalidToken
from identity.openid.tokens.bearer import bearer_principal
from identity.openid.tokens.proofs.dpop import _is_here
from identity.openid.tokens.proofs.mutual_tls import thumbprint_of
from kernel.base.errors import Invalid
from kernel.base.settings import Settings, SettingsError, load
from kernel.database.db import ENGINE
from kernel.http.incoming import Incoming
from portal.app import create_app

KEY = a_key()
CERTIFICATE = a_certificate(KEY)
SUBJECT = {"tls_client_auth_subject_dn": "CN=sistema,O=Servicio de Prueba,C=CL"}


@pytest.fixture
def behind(settings: Settings) -> Iterator[Flask]:
    """The application behind a proxy that hands certificates over."""
    application = under_test(create_app(behind_a_proxy(settings)))
    with application.app_context():
        an_agency("AE001", "Servicio de Prueba")
    yield application
    ENGINE.of(application).dispose()


def pem(certificate: x509.Certificate) -> str:
    return quote(certificate.public_bytes(Encoding.PEM).decode())


def handed(certificate: x509.Certificate, verified: str = "SUCCESS") -> dict[str, str]:
    return {"X-Client-Cert": pem(certificate), "X-Client-Verify": verified}


def token(browser: FlaskClient, made: NewClient, headers: dict[str, str], **form: str) -> TestResponse:
    data = {"grant_type": "client_credentials", "client_id": made.client.client_id, **form}
    return browser.post("/openid/token", data=data, headers=headers)


def refused(response: TestResponse) -> bool:
    return (response.status_code, response.get_json()["error"]) == (401, "invalid_client")


@pytest.fixture
def named(behind: Flask) -> NewClient:
    with behind.app_context():
        return a_system(auth_method="tls_client_auth", options=SUBJECT)


@pytest.fixture
def self_signed(behind: Flask) -> NewClient:
    with behind.app_context():
        return a_system(auth_method="self_signed_tls_client_auth", jwks=public(KEY))


def test_a_certificate_that_the_caller_says_himself_counts_for_nothing(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
        for made in (
            a_system(auth_method="tls_client_auth", options=SUBJECT),
            a_system(auth_method="self_signed_tls_client_auth", jwks=public(KEY)),
        ):
            assert refused(token(client, made, handed(CERTIFICATE)))


def test_the_header_needs_a_trusted_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", "postgresql://localhost/none")
    monkeypatch.setenv("CORDILLERA_CLIENT_CERTIFICATE_HEADER", "X-Client-Cert")
    monkeypatch.delenv("CORDILLERA_TRUSTED_PROXIES", raising=False)
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        load()
    monkeypatch.setenv("CORDILLERA_TRUSTED_PROXIES", "1")
    assert load().client_certificate_header == "X-Client-Cert"


def test_certificates_that_are_refused(behind: Flask, named: NewClient) -> None:
    browser = behind.test_client()
    ended = a_certificate(KEY, ends=datetime.now(UTC) - timedelta(days=1))
    for headers in (
        {},
        {"X-Client-Cert": "", "X-Client-Verify": "SUCCESS"},
        {"X-Client-Cert": pem(CERTIFICATE)},
        handed(CERTIFICATE, "NONE"),
        handed(CERTIFICATE, "FAILED:self-signed certificate"),
        handed(a_certificate(KEY, "CN=otro,O=Servicio de Prueba,C=CL")),
        handed(a_certificate(KEY, "CN=sistema,C=CL")),
        handed(ended),
        handed(CERTIFICATE) | {"X-Client-Cert": "certificate"},
        handed(CERTIFICATE) | {"X-Client-Cert": ":AAAA:"},
        handed(CERTIFICATE) | {"X-Client-Cert": pem(CERTIFICATE)[:-200]},
        handed(CERTIFICATE) | {"X-Client-Cert": "-----BEGIN CERTIFICATE-----%00-----END CERTIFICATE-----"},
        handed(CERTIFICATE) | {"X-Client-Cert": "A" * 20_000},
    ):
        assert refused(token(browser, named, headers)), headers
    assert refused(token(browser, named, handed(CERTIFICATE), client_secret="x"))
    assert refused(token(browser, named, handed(CERTIFICATE), client_id="0" * 32))


def test_a_certificate_with_the_registered_subject_is_accepted(behind: Flask, named: NewClient) -> None:
    browser = behind.test_client()
    assert token(browser, named, handed(CERTIFICATE)).status_code == 200
    by_rfc_9440 = base64.b64encode(CERTIFICATE.public_bytes(Encoding.DER)).decode()
    assert token(browser, named, handed(CERTIFICATE) | {"X-Client-Cert": f":{by_rfc_9440}:"}).status_code == 200


def test_every_other_name_of_a_certificate(behind: Flask) -> None:
    browser = behind.test_client()
    names = a_certificate(
        KEY,
        san=[
            x509.DNSName("sistema.example.cl"),
            x509.UniformResourceIdentifier("https://sistema.example.cl/"),
            x509.IPAddress(ip_address("192.0.2.1")),
            x509.RFC822Name("sistema@example.cl"),
        ],
    )
    for name, right, wrong in (
        ("tls_client_auth_san_dns", "Sistema.example.cl", "example.cl"),
        ("tls_client_auth_san_uri", "https://sistema.example.cl/", "https://sistema.example.cl"),
        ("tls_client_auth_san_ip", "192.0.2.1", "192.0.2.2"),
        ("tls_client_auth_san_email", "sistema@example.cl", "otro@example.cl"),
        ("tls_client_auth_san_ip", "192.0.2.1", "2001:db8::1"),
    ):
        with behind.app_context():
            good = a_system(auth_method="tls_client_auth", options={name: right})
            bad = a_system(auth_method="tls_client_auth", options={name: wrong})
        assert token(browser, good, handed(names)).status_code == 200, name
        assert refused(token(browser, bad, handed(names))), name
        assert refused(token(browser, good, handed(CERTIFICATE))), name


def test_a_self_signed_certificate_has_to_be_of_a_registered_key(behind: Flask, self_signed: NewClient) -> None:
    browser = behind.test_client()
    assert refused(token(browser, self_signed, handed(a_certificate(a_key()))))
    assert refused(token(browser, self_signed, {}))
    assert token(browser, self_signed, handed(CERTIFICATE, "FAILED:self-signed certificate")).status_code == 200
    key = a_key(kid="x")
    certificate = a_certificate(key)
    with behind.app_context():
        jwks = {"keys": [{**key.as_dict(private=False), "x5c": [der(certificate)]}]}
        made = a_system(auth_method="self_signed_tls_client_auth", jwks=jwks)
    assert token(browser, made, handed(certificate)).status_code == 200


@pytest.mark.usefixtures("context")
def test_exactly_one_name_is_registered() -> None:
    for method, options in (
        ("tls_client_auth", {}),
        ("tls_client_auth", SUBJECT | {"tls_client_auth_san_dns": "a.example.cl"}),
        ("client_secret_basic", SUBJECT),
    ):
        with pytest.raises(Invalid):
            a_system(auth_method=method, options=options)


def test_a_token_bound_to_a_certificate_is_worth_nothing_without_it(behind: Flask) -> None:
    browser = behind.test_client()
    with behind.app_context():
        made = a_system(options={"tls_client_certificate_bound_access_tokens": True})
    headers = basic(made.client.client_id, made.secret)
    without = browser.post("/openid/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert without.get_json()["error"] == "invalid_request"
    found = browser.post(
        "/openid/token", data={"grant_type": "client_credentials"}, headers=headers | handed(CERTIFICATE)
    ).get_json()
    assert found["token_type"] == "Bearer"
    shown = {"Authorization": f"Bearer {found['access_token']}"}
    for wrong in (shown, shown | handed(a_certificate(KEY))):
        with (
            behind.test_request_context("/api/v1/communications", headers=wrong),
            pytest.raises(InvalidToken),
        ):
            bearer_principal()
    with behind.test_request_context("/api/v1/communications", headers=shown | handed(CERTIFICATE)):
        assert bearer_principal() is not None
    assert len(thumbprint_of(CERTIFICATE)) == 43


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[Flask]:
    """The application with a second host, which alone asks for certificates."""
    application = under_test(create_app(behind_a_proxy(settings, mtls_base_url="https://mtls.id.example")))
    yield application
    ENGINE.of(application).dispose()


def test_without_a_second_host_there_are_no_aliases(behind: Flask) -> None:
    told = behind.test_client().get("/openid/.well-known/openid-configuration").get_json()
    assert "mtls_endpoint_aliases" not in told


def test_who_brings_a_certificate_is_told_the_other_host(elsewhere: Flask) -> None:
    browser = elsewhere.test_client()
    told = browser.get("/openid/.well-known/openid-configuration").get_json()
    assert told["issuer"] == "http://localhost/openid"
    aliases = told["mtls_endpoint_aliases"]
    assert set(aliases) == {
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "userinfo_endpoint",
    }
    for name, address in aliases.items():
        # RFC 8705 5: the same endpoint at another host.
        assert address == told[name].replace("http://localhost", "https://mtls.id.example")


def test_a_proof_for_the_other_host_is_for_us(elsewhere: Flask) -> None:
    host = "mtls.id.example"
    good = [f"{ours}/openid/token" for ours in ("http://localhost", f"https://{host}", f"https://{host.upper()}:443")]
    others = (f"http://{host}", f"https://{host}:444", "https://id.example", f"https://x@{host}", f"https://{host}:x")
    wrong = [*(f"{other}/openid/token" for other in others), f"https://{host}/openid/par"]
    with elsewhere.test_request_context("/openid/token", method="POST"):
        assert [one for one in good if not _is_here(one, Incoming.of_flask())] == []
        assert [one for one in wrong if _is_here(one, Incoming.of_flask())] == []
