"""Agencies' systems register and revoke their keys; which keys and proofs are accepted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from builders.interoperability import Network, a_key, proof_of
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from interoperability.directory.rules import public_jwk
from interoperability.evidence.rules import thumbprint
from kernel.base import clock
from kernel.base.errors import Invalid


@pytest.fixture
def network(app: Flask) -> Network:
    return Network(app)


def pem(key: Any) -> str:
    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256"])
def test_a_key_is_read_as_pem_and_as_jwk(algorithm: str) -> None:
    key = a_key(algorithm)
    from_jwk = public_jwk(json.dumps({**key.as_dict(private=False), "kid": "x", "use": "sig"}))
    assert from_jwk == public_jwk(key.as_pem(private=False).decode())
    assert thumbprint(from_jwk) == key.thumbprint()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{",
        "{}",
        "[" * 5000,
        '{"kty": "EC"}',
        '{"kty": "oct", "k": "c2VjcmV0"}',
        '{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}',
        json.dumps(a_key().as_dict(private=True)),
        a_key().as_pem(private=True).decode(),
        pem(ec.generate_private_key(ec.SECP384R1()).public_key()),
        pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
        pem(rsa.generate_private_key(65537, 1024).public_key()),
    ],
    ids=range(13),
)
def test_what_is_no_public_key_of_the_accepted_kinds_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        public_jwk(text)


def test_a_system_registers_uses_and_revokes_a_key(network: Network) -> None:
    key = a_key()
    new = {"name": "Sistema", "public_key": json.dumps(key.as_dict(private=False)), "proof": proof_of(key, "AE002")}
    made = network.post("AE002", "/keys", json=new)
    assert made.status_code == 201, made.text
    name = made.get_json()["thumbprint"]
    assert network.post("AE002", "/keys", json=new).status_code == 409
    assert [one["thumbprint"] for one in network.get("AE002", "/keys").get_json()["items"]] == [name]
    assert network.post("AE001", f"/keys/{name}/revocation", json={"reason": "ajena"}).status_code == 404
    gone = network.post("AE002", f"/keys/{name}/revocation", json={"reason": "Rotación anual"})
    assert gone.get_json()["revoked_at"]
    again = network.post("AE002", f"/keys/{name}/revocation", json={"reason": "Otra vez"})
    assert again.get_json() == gone.get_json()
    assert network.post("AE002", "/keys", json=new).status_code == 409


def test_a_proof_is_for_this_agency_key_place_and_hour(network: Network) -> None:
    key = a_key()
    new = {"name": "Sistema", "public_key": json.dumps(key.as_dict(private=False))}
    stale = proof_of(key, "AE002", issued_at=(clock.now() - timedelta(hours=2)).isoformat())
    naive = proof_of(key, "AE002", issued_at="2026-01-01T00:00:00")
    for wrong in (stale, naive, proof_of(key, "AE001"), proof_of(a_key(), "AE002"), proof_of(key, "AE002", "http://x")):
        answer = network.post("AE002", "/keys", json={**new, "proof": wrong})
        assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["proof"])


def test_keys_need_their_scope(network: Network) -> None:
    assert network.get("AE001 communications.send", "/keys").status_code == 403
    assert network.post("AE001 communications.send", "/keys", json={}).status_code in (403, 422)
    assert network.get("", "/keys").status_code == 401
