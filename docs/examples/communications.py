"""Send, receive and acknowledge official communications from an agency's system.

pip install httpx2 joserfc
export CORDILLERA_URL=… CORDILLERA_CLIENT_ID=… CORDILLERA_CLIENT_SECRET=… CORDILLERA_AGENCY=AE001
python communications.py register                      # makes private.pem and registers its public half
python communications.py send AE002 oficio.pdf "Reference" [annex …]
python communications.py receive FOLDER                # downloads and acknowledges what waits
python communications.py receipt COM-2026-000123
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from joserfc import jws
from joserfc.jwk import ECKey

URL = os.environ["CORDILLERA_URL"].rstrip("/")
AGENCY = os.environ["CORDILLERA_AGENCY"]
LONGEST_NAME, LONGEST_ENDING = 255, 32  # in bytes
PRIVATE_KEY = Path(os.environ.get("CORDILLERA_PRIVATE_KEY", "private.pem"))


def connect(*scopes: str) -> httpx2.Client:
    """A connection with an access token of the client credentials grant."""
    credentials = (os.environ["CORDILLERA_CLIENT_ID"], os.environ["CORDILLERA_CLIENT_SECRET"])
    data = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
    token = httpx2.post(f"{URL}/openid/token", data=data, auth=credentials).raise_for_status().json()["access_token"]
    return httpx2.Client(base_url=f"{URL}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def checked(response: httpx2.Response) -> httpx2.Response:
    """The answer, or the problem in its own words."""
    if response.is_error:
        sys.exit(f"{response.status_code} {response.read().decode()}")
    return response


def sign(content: dict[str, Any]) -> str:
    """A compact JWS whose header names the key by its thumbprint (RFC 7638)."""
    key = ECKey.import_key(PRIVATE_KEY.read_text())
    header = {"alg": "ES256", "kid": key.thumbprint()}
    return jws.serialize_compact(header, json.dumps(content), key)


def now() -> str:
    return datetime.now(UTC).isoformat()


def register() -> None:
    """Make a pair of keys, keep the private half here, and prove that we hold it."""
    key = ECKey.generate_key("P-256")
    PRIVATE_KEY.touch(mode=0o600)
    PRIVATE_KEY.write_bytes(key.as_pem(private=True))
    proof = sign({"agency": AGENCY, "platform": URL, "thumbprint": key.thumbprint(), "issued_at": now()})
    body = {"name": "Document system", "public_key": key.as_pem(private=False).decode(), "proof": proof}
    print(checked(connect("directory.keys").post("/keys", json=body)).json()["thumbprint"])


def describe(path: Path, role: str) -> dict[str, Any]:
    """Describe a file as the manifest does."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"name": path.name, "media_type": media_type, "sha256": digest, "size": path.stat().st_size, "role": role}


def send(addressee: str, document: str, reference: str, *annexes: str) -> None:
    """Sign the manifest and send it with the files. Trying again with the same key never sends twice."""
    main, others = Path(document), [Path(annex) for annex in annexes]
    manifest = {
        "metadata": {
            "issued_at": now(),
            "sender": {"agency": AGENCY, "authority": {"name": "María Pérez", "post": "Directora"}},
            "addressees": [{"agency": addressee, "copy": False, "persons": []}],
            "reference": reference,
            "type": "letter",
            "classification": "public",
        },
        "documents": [describe(main, "main"), *(describe(other, "annex") for other in others)],
    }
    token, key = sign(manifest), str(uuid.uuid4())
    with connect("communications.send") as api:
        for attempt in range(3):
            parts: list[tuple[str, Any]] = [("manifest", ("manifest.jws", token, "application/jose"))]
            parts.append(("document", (main.name, main.open("rb"))))
            parts += [("annex", (other.name, other.open("rb"))) for other in others]
            try:
                answer = api.post("/communications", files=parts, headers={"Idempotency-Key": key})
                break
            except httpx2.TransportError:
                time.sleep(2**attempt)
        else:
            sys.exit("The platform does not answer.")
        print(checked(answer).json()["code"])


def receive(folder: str) -> None:
    """Download what waits for our answer, compare the digests, acknowledge.

    What a crash leaves without an answer is there again the next time, and so are the files: each is put in its place
    whole, under a name that depends on nothing but the communication.
    """
    with connect("communications.receive") as api:
        for line in waiting(api):
            code = line["code"]
            for document in checked(api.get(f"/communications/{code}")).json()["documents"]:
                target = Path(folder) / file_name(f"{code}-{document['number']}-", document["name"])
                download(api, f"/communications/{code}/documents/{document['number']}", target, document["sha256"])
            if not any(one["copy"] for one in line["addressees"] if one["agency"] == AGENCY):
                checked(api.post(f"/communications/{code}/acknowledgement"))
            print(code)


def waiting(api: httpx2.Client) -> Iterator[dict[str, Any]]:
    """Every line of the inbox that has no answer of ours, page by page."""
    query = {"box": "inbox", "status": "available"}
    while True:
        page = checked(api.get("/communications", params=query)).json()
        yield from page["items"]
        if page["next"] is None:
            return
        query["cursor"] = page["next"]


def file_name(prefix: str, name: str) -> str:
    """A name that every file system takes: 255 bytes at most, with the ending that says what it is."""
    stem, ending = os.path.splitext(re.sub(r'[<>:"|?*]', "_", name))
    if len(ending.encode()) > LONGEST_ENDING:
        stem, ending = stem + ending, ""
    room = LONGEST_NAME - len(f"{prefix}{ending}".encode())
    return f"{prefix}{stem.encode()[:room].decode(errors='ignore')}{ending}"


def download(api: httpx2.Client, address: str, target: Path, sha256: str) -> None:
    digest, unfinished = hashlib.sha256(), target.with_name("unfinished")
    with api.stream("GET", address) as answer, unfinished.open("wb") as file:
        for chunk in checked(answer).iter_bytes():
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        sys.exit(f"{target} is not what was sent")
    unfinished.replace(target)


def receipt(code: str) -> None:
    """Save the receipt as it comes. 409 means that the last step is being sealed: a second later it is there."""
    with connect("communications.send", "communications.receive") as api:
        for _attempt in range(10):
            answer = api.get(f"/communications/{code}/receipt")
            if answer.status_code != httpx2.codes.CONFLICT:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        Path(f"{code}-receipt.json").write_bytes(checked(answer).content)
        print(f"{code}-receipt.json")


COMMANDS: dict[str, Callable[..., None]] = {"register": register, "send": send, "receive": receive, "receipt": receipt}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
