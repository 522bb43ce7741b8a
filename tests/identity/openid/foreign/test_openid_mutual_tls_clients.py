"""npm's `openid-client` with mutual TLS, behind an Apache that asks for certificates as docs/operations.md has it."""

from collections.abc import Iterator
from typing import Any

import pytest
from builders.apache import mutual_tls
from builders.browser import PersonWithBrowser
from builders.clients import a_client
from builders.foreign import NodeClients
from builders.keys import Issued, a_certificate, a_key, public
from cryptography import x509
from flask import Flask
from walking import Installation

from identity.clients.registry.actions import NewClient
from identity.openid.tokens.proofs.mutual_tls import thumbprint_of
from kernel.base.settings import Settings

pytestmark = pytest.mark.xdist_group("foreign")  # they share one server, so one worker of the suite runs them

CALLBACK = "http://localhost:5999/callback"
SCOPES = ("openid", "name", "offline_access")
SUBJECT = "CN=sistema,O=Servicio de Prueba,C=CL"


def issued(name: str = SUBJECT, **others: Any) -> Issued:
    key = a_key()
    return Issued(key, a_certificate(key, name, **others))


@pytest.fixture
def authority(settings: Settings, served: Installation) -> Iterator[Issued]:
    """An issuer of certificates, while the proxy that trusts it runs."""
    authority = issued("CN=Autoridad de Prueba,C=CL", is_authority=True)
    server = issued("CN=localhost", issuer=authority, san=[x509.DNSName("localhost")])
    with mutual_tls(settings.mtls_base_url, served.base_url, authority, server):
        yield authority


def registered(app: Flask, **others: Any) -> NewClient:
    with app.app_context():
        return a_client("fapi2", redirect_uris=[CALLBACK], scopes=SCOPES, **others)


def what_it_found(
    node: NodeClients, person: PersonWithBrowser, served: Installation, authority: Issued, made: NewClient, own: Issued
) -> dict[str, Any]:
    another = issued("CN=otro,O=Servicio de Prueba,C=CL", issuer=authority)
    return node.run(
        "mutual-tls",
        person,
        issuer=f"{served.base_url}/openid",
        client_id=made.client.client_id,
        redirect_uri=CALLBACK,
        scope=" ".join(SCOPES),
        authority=authority.certificate_pem.decode(),
        key=own.key_pem.decode(),
        certificate=own.certificate_pem.decode(),
        another={"key": another.key_pem.decode(), "certificate": another.certificate_pem.decode()},
    )


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_certificate_proves_the_client_and_binds_its_tokens(
    app: Flask,
    settings: Settings,
    served: Installation,
    node: NodeClients,
    person: PersonWithBrowser,
    authority: Issued,
    method: str,
) -> None:
    if method == "tls_client_auth":
        own = issued(issuer=authority)
        made = registered(app, auth_method=method, options={"tls_client_auth_subject_dn": SUBJECT})
    else:
        own = issued()
        made = registered(app, auth_method=method, jwks=public(own.key))
    found = what_it_found(node, person, served, authority, made, own)
    assert found["endpoint"] == f"{settings.mtls_base_url}/openid/token"
    assert found["type"] == "bearer"
    assert found["claims"]["aud"] == made.client.client_id
    assert (found["person"]["sub"], found["person"]["name"]) == (found["claims"]["sub"], "Ana Ñancupil")
    assert found["living"]["cnf"] == {"x5t#S256": thumbprint_of(own.certificate)}
    assert found["refused"] == {
        "no certificate at PAR": "invalid_client",
        "another certificate at PAR": "invalid_client",
        "no certificate at userinfo": "invalid_token",
        "another certificate at userinfo": "invalid_token",
        "another certificate with the refresh token": "invalid_client",
    }
