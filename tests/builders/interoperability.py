"""Agencies on the network: keys, manifests, uploads."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, g, request
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse

from identity.agencies.actions import create_agency
from interoperability.directory import actions as directory
from interoperability.evidence.rules import thumbprint
from kernel.base import clock
from kernel.jobs.access import AUTHENTICATORS, AgencyRef, Principal, act_as
from kernel.recording.sealing import seal_all

SCOPES = frozenset({"communications.send", "communications.receive", "directory.keys"})
AE001 = AgencyRef("AE001", "Servicio de Pruebas")
AE002 = AgencyRef("AE002", "Dirección de Ensayos")
AE003 = AgencyRef("AE003", "Instituto de Muestras")
HEADER = "X-Test-Agency"


def a_pdf(text: str = "Ordinario 1") -> bytes:
    """A small PDF that a reader opens."""
    body = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    body += b"% " + text.encode() + b"\n"
    return body + b"trailer<</Root 1 0 R/Size 3>>\nstartxref\n" + str(len(body)).encode() + b"\n%%EOF\n"


def a_key(algorithm: str = "ES256") -> ECKey | OKPKey | RSAKey:
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", auto_kid=False)
    return RSAKey.generate_key(2048, auto_kid=False) if algorithm == "PS256" else ECKey.generate_key("P-256")


def signed(content: Mapping[str, Any] | bytes, key: Key, algorithm: str = "ES256", kid: str | None = None) -> str:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    header = {"alg": algorithm, "kid": kid or thumbprint(key.as_dict(private=False))}
    return jws.serialize_compact(header, payload, key, algorithms=[algorithm])


def described(name: str, content: bytes, role: str, media_type: str = "application/pdf") -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "media_type": media_type, "sha256": digest, "size": len(content), "role": role}


def a_manifest(documents: Sequence[dict[str, Any]], sender: str = "AE001", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "issued_at": clock.now().isoformat(),
            "sender": {"agency": sender, "authority": {"name": "María Pérez", "post": "Directora"}},
            "addressees": [{"agency": "AE002", "persons": [{"name": "Juan Soto", "post": "Jefe de Gabinete"}]}],
            "reference": "Solicita antecedentes",
            "content": "Se piden los antecedentes del caso.",
            "type": "letter",
            "classification": "public",
            **metadata,
        },
        "documents": list(documents),
    }


def proof_of(key: Key, agency: str, platform: str = "http://localhost", algorithm: str = "ES256", **said: Any) -> str:
    jwk = key.as_dict(private=False)
    values = {"agency": agency, "thumbprint": thumbprint(jwk), "platform": platform}
    return signed({**values, "issued_at": clock.now().isoformat(), **said}, key, algorithm)


@dataclass
class Network:
    """Three agencies, the first with a registered key; requests come from the agency of the caller's choice."""

    app: Flask
    key: Key = field(default_factory=a_key)

    def __post_init__(self) -> None:
        with self.acting(AE001):
            for agency in (AE001, AE002, AE003):
                create_agency(code=agency.code, name=agency.name, is_authority=False)
            self.register(self.key)
        AUTHENTICATORS.of(self.app).insert(0, self._from_header)

    @staticmethod
    def _from_header() -> Principal | None:
        code, _space, scopes = request.headers.get(HEADER, "").partition(" ")
        agency = {one.code: one for one in (AE001, AE002, AE003)}.get(code)
        if agency is None:
            return None
        allowed = frozenset(scopes.split()) or SCOPES
        return Principal(kind="machine", id=f"system-of-{code}", name="A system", agency=agency, scopes=allowed)

    @contextmanager
    def acting(self, agency: AgencyRef) -> Iterator[Principal]:
        """An application context in which a correspondent of the agency acts."""
        principal = Principal("official", "1", "Ana Rojas", agency, frozenset({"correspondent", "administrator"}))
        with self.app.app_context():
            act_as(principal)
            yield principal

    def register(self, key: Key, agency: AgencyRef = AE001, algorithm: str = "ES256") -> str:
        with self.acting(agency) as principal:
            jwk = json.dumps(key.as_dict(private=False))
            proof = proof_of(key, agency.code, algorithm=algorithm)
            return directory.register_key(principal, "Sistema de documentos", jwk, proof).thumbprint

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def get(self, agency: str, path: str, **more: Any) -> TestResponse:
        answer = self.client().get(f"/api/v1{path}", headers={HEADER: agency, **more.pop("headers", {})}, **more)
        answer.get_data()  # to the end, as programs do: what is not read was not delivered
        return answer

    def post(self, agency: str, path: str, **more: Any) -> TestResponse:
        return self.client().post(f"/api/v1{path}", headers={HEADER: agency, **more.pop("headers", {})}, **more)

    def send(
        self,
        *,
        main: bytes | None = None,
        annexes: Sequence[tuple[str, bytes]] = (),
        manifest: dict[str, Any] | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        agency: str = "AE001",
        **metadata: Any,
    ) -> TestResponse:
        """Send as a system does; each argument replaces what would be right."""
        main = a_pdf() if main is None else main
        listed = [described("oficio.pdf", main, "main")]
        listed += [described(name, content, "annex", "text/plain") for name, content in annexes]
        said = manifest if manifest is not None else a_manifest(listed, sender=agency, **metadata)
        token = signed(said, self.key) if token is None else token
        return self.post(agency, "/communications", data=upload(token, main, annexes), headers=headers or {})

    def sent(self, **more: Any) -> str:
        """The code of a communication that went well, sealed."""
        answer = self.send(**more)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        self.seal()
        return str(answer.get_json()["code"])

    def seal(self) -> int:
        return seal_all(self.app)

    def receipt(self, code: str, agency: str = "AE001") -> bytes:
        answer = self.get(agency, f"/communications/{code}/receipt")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return bytes(answer.data)


def upload(token: str, main: bytes, annexes: Sequence[tuple[str, bytes]] = ()) -> MultiDict[str, Any]:
    parts: MultiDict[str, Any] = MultiDict()
    parts.add("manifest", FileStorage(io.BytesIO(token.encode()), "manifest.jws", content_type="application/jose"))
    parts.add("document", FileStorage(io.BytesIO(main), "oficio.pdf", content_type="application/pdf"))
    for name, content in annexes:
        parts.add("annex", FileStorage(io.BytesIO(content), name, content_type="text/plain"))
    return parts


def forget_session() -> None:
    """Let the next read of this context see what another transaction has written."""
    current = g.pop("session", None)
    if current is not None:
        current.close()
