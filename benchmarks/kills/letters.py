"""Official communications: two agencies' systems write to one another, read and acknowledge."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
from joserfc import jws
from joserfc.jwk import ECKey

from benchmarks.kills.caller import Caller
from benchmarks.kills.ledger import Letter

SCOPES = "communications.send communications.receive directory.keys"
TAIL = b"\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"


class Correspondent:
    """The system of one agency, which writes to the other and answers what comes from it."""

    def __init__(self, caller: Caller, credentials: Mapping[str, str], agency: str, other: str, seed: str) -> None:
        self.caller, self.agency, self.other = caller, agency, other
        self._credentials = credentials["client_id"], credentials["client_secret"]
        self._random = random.Random(seed)
        self._key = ECKey.generate_key("P-256")
        self._token = ""
        self._register()

    def _register(self) -> None:
        platform = self.caller.base_url
        said = {"agency": self.agency, "platform": platform, "thumbprint": self._key.thumbprint(), "issued_at": _now()}
        body = {"name": f"Key {self._key.thumbprint()[:8]}", "public_key": self._key.as_pem(private=False).decode()}
        answer = self.api("POST", "/keys", json={**body, "proof": self._sign(said)})
        answer.raise_for_status()

    def api(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """An answer of the API, with a new token where the old one has ended."""
        headers = more.pop("headers", {})
        for _attempt in range(3):
            if not self._token:
                form = {"grant_type": "client_credentials", "scope": SCOPES}
                told = self.caller.surely("POST", "/openid/token", data=form, auth=self._credentials)
                self._token = told.raise_for_status().json()["access_token"]
            bearer = {"Authorization": f"Bearer {self._token}"}
            answer = self.caller.surely(method, f"/api/v1{path}", headers={**headers, **bearer}, **more)
            if answer.status_code != httpx2.codes.UNAUTHORIZED:
                break
            self._token = ""
        return answer

    def _sign(self, said: Mapping[str, Any]) -> str:
        header = {"alg": "ES256", "kid": self._key.thumbprint()}
        return jws.serialize_compact(header, json.dumps(said), self._key)

    def turn(self) -> None:
        """Write one letter, and answer what has come."""
        self.send()
        listed = self.api("GET", "/communications", params={"box": "inbox", "status": "available", "limit": "5"})
        for each in listed.raise_for_status().json()["items"]:
            self.answer(each["code"])

    def send(self) -> None:
        content = b"%PDF-1.4\n%" + self._random.randbytes(2000).hex().encode() + TAIL
        letter = Letter(str(uuid.uuid4()), hashlib.sha256(content).hexdigest())
        self.caller.ledger.letters.append(letter)
        described = {"name": "oficio.pdf", "media_type": "application/pdf", "role": "main"}
        described |= {"sha256": letter.sha256, "size": len(content)}  # type: ignore[dict-item]
        sender = {"agency": self.agency, "authority": {"name": "María Pérez", "post": "Directora"}}
        metadata = {"issued_at": _now(), "sender": sender, "addressees": [{"agency": self.other, "persons": []}]}
        metadata |= {"reference": letter.key, "type": "letter", "classification": "public"}
        token = self._sign({"metadata": metadata, "documents": [described]})
        files = [("manifest", ("m.jws", token.encode(), "application/jose"))]
        files.append(("document", ("oficio.pdf", content, "application/pdf")))
        answer = self.api("POST", "/communications", files=files, headers={"Idempotency-Key": letter.key})
        if answer.status_code == httpx2.codes.CREATED:
            letter.code = answer.json()["code"]
        else:
            self.caller.ledger.lose(f"letter {letter.key} was refused: {answer.status_code} {answer.text[:200]}")

    def answer(self, code: str) -> None:
        """Read the documents and acknowledge; an acknowledgement that was made before has got through before."""
        shown = self.api("GET", f"/communications/{code}").raise_for_status().json()
        for each in shown["documents"]:
            read = self.api("GET", f"/communications/{code}/documents/{each['number']}")
            if hashlib.sha256(read.content).hexdigest() != each["sha256"]:
                self.caller.ledger.lose(f"document {each['number']} of {code} is not what was sent: {read.status_code}")
        answer = self.api("POST", f"/communications/{code}/acknowledgement")
        if answer.status_code not in (httpx2.codes.OK, httpx2.codes.CONFLICT):
            self.caller.ledger.lose(f"{code} could not be acknowledged: {answer.status_code} {answer.text[:200]}")
            return
        for letter in self.caller.ledger.letters:
            if letter.code == code:
                letter.is_acknowledged = True


def _now() -> str:
    return datetime.now(UTC).isoformat()
