"""Parts of a valid request that no schema can say, completed before schemathesis sends it (`SCHEMATHESIS_HOOKS`).

A signature holds, a proof belongs to its key, a cursor was given before, a code names something that exists, a range
lies within the document. Requests that are meant to be wrong go out as they were generated.
"""

import base64
import hashlib
import itertools
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

import schemathesis
from builders.pictures import a_png
from joserfc import jws
from joserfc.jwk import ECKey
from schemathesis import Case, HookContext, Response

BASE_URL = os.environ.get("INTERFACE_BASE_URL", "")
# The system under whose name the requests go, and one of another agency that writes to it.
SYSTEM = os.environ.get("INTERFACE_AGENCY", ""), os.environ.get("INTERFACE_TOKEN", "")
OTHER = os.environ.get("INTERFACE_OTHER_AGENCY", ""), os.environ.get("INTERFACE_OTHER_TOKEN", "")
OPENAPI = 'openapi: 3.1.0\ninfo: {{title: "{title}", version: "1"}}\npaths: {{}}\n'
GIVEN_CURSORS: dict[str, tuple[str, Any]] = {}
"""By path the last cursor, and the words that its list was asked for with: only with the same it goes on."""
MADE: dict[str, list[str]] = defaultdict(list)
"""The names of what exists, by the collection it belongs to: `services` and their `versions`, `agreements`,
`communications`, `keys`, `applications` and their `secrets`.
"""
NAMES = ("code", "thumbprint", "client_id")
"""Names of the parameter and the member that name a thing."""
TURN = itertools.count()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive or context.operation is None:
        return
    # Every second request: what does not exist has to be answered well too.
    if next(TURN) % 2:
        name_what_exists(case)
    if "cursor" in (case.query or {}):
        use_given_cursor(case)
    if complete := COMPLETE.get(context.operation.definition.raw["operationId"]):
        complete(case)


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was made and the cursors that were given."""
    if response.status_code == 201:
        made = response.json()
        MADE[collection(case.path)].append(next(made[name] for name in NAMES if name in made))
        MADE["secrets"] += [one["code"] for one in made.get("secrets", [])]
        if "versions" in made:
            MADE["versions"].append(made["versions"][0]["version"])
    elif case.method == "GET" and response.status_code == 200 and b'"next"' in response.content:
        following = response.json().get("next")
        if following:
            GIVEN_CURSORS[case.path] = following, (case.query or {}).get("q")


def collection(path: str) -> str:
    return path.split("/")[3]


def name_what_exists(case: Case[Any]) -> None:
    if case.path.startswith("/api/v1/communications/"):
        MADE["communications"].append(receive())
    for parameter in NAMES:
        if parameter in (case.path_parameters or {}) and (known := MADE[collection(case.path)]):
            case.path_parameters[parameter] = known[-1]
    if "version" in (case.path_parameters or {}) and MADE["versions"]:
        case.path_parameters["version"] = MADE["versions"][-1]
    if "secret" in (case.path_parameters or {}) and MADE["secrets"]:
        case.path_parameters["secret"] = MADE["secrets"][-1]
    if "agreement" in (case.query or {}) and MADE["agreements"]:
        case.query["agreement"] = MADE["agreements"][-1]
    if isinstance(case.body, dict) and "service" in case.body:
        case.body |= {"service": "SRV-000001", "version": "v1"}


def use_given_cursor(case: Case[Any]) -> None:
    if case.path not in GIVEN_CURSORS:
        del case.query["cursor"]
        return
    case.query["cursor"], words = GIVEN_CURSORS[case.path]
    case.query.pop("q", None)
    if words is not None:
        case.query["q"] = words


def with_a_document(case: Case[Any]) -> None:
    """A service's OpenAPI document, wherever the generated request has some text for one."""
    if isinstance(case.body, dict) and case.body.get("openapi"):
        title = hashlib.sha256(str(case.body["openapi"]).encode(errors="replace")).hexdigest()
        case.body["openapi"] = OPENAPI.format(title=title)


def that_is_sound(case: Case[Any]) -> None:
    """An application whose choices fit one another, and which may ask to leave the sandbox."""
    if not isinstance(case.body, dict):
        return
    body: dict[str, Any] = case.body
    flags = {name: value for name, value in body.get("options", {}).items() if isinstance(value, bool)}
    body["name"] = hashlib.sha256(str(body["name"]).encode(errors="replace")).hexdigest()
    body |= {"profile": "standard", "auth_method": "client_secret_basic", "jwks": None, "jwks_uri": None}
    body |= {"redirect_uris": ["https://agencia.cl/entrada"], "post_logout_redirect_uris": [], "options": flags}
    body |= {"scopes": ["run"], "scope_reasons": {"run": "Para ubicarle."}, "contacts": ["a@agencia.cl"]}


def with_a_public_key(case: Case[Any]) -> None:
    if isinstance(case.body, dict):
        key: Any = ECKey.generate_key("P-256").as_dict(private=False)
        case.body = {"jwks": {"keys": [key]}}


def with_a_picture(case: Case[Any]) -> None:
    if isinstance(case.body, dict):
        case.body["png"] = base64.b64encode(a_png()).decode()


def within_the_log(case: Case[Any]) -> None:
    """Two sizes that the log has had, the smaller one first."""
    if not {"from", "to"} <= set(case.query or {}):
        return
    sizes = sorted(1 + int(case.query[name]) % size_of_the_log() for name in ("from", "to"))
    case.query["from"], case.query["to"] = sizes


@cache
def size_of_the_log() -> int:
    """At least this many records; the log has one as soon as a communication is sealed."""
    receive()
    while True:
        try:
            with urllib.request.urlopen(f"{BASE_URL}/api/v1/evidence/checkpoint") as answer:
                return int(answer.read().split(b"\n")[1])
        except urllib.error.HTTPError:
            time.sleep(0.2)


def within_the_document(case: Case[Any]) -> None:
    """Every document sent below has more than a hundred bytes."""
    if asked := re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", str(case.headers.get("Range"))):
        last = str(100 + int(asked[2])) if asked[2] else ""
        case.headers["Range"] = f"bytes={int(asked[1]) % 100}-{last}"


# ---- keys, signatures and what is signed ----


def post(path: str, token: str, body: bytes, media_type: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
    with urllib.request.urlopen(urllib.request.Request(f"{BASE_URL}/api/v1{path}", body, headers)) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


@cache
def registered_key(agency: str, token: str) -> ECKey:
    """A key that the agency's system has registered through the interface itself."""
    key = ECKey.generate_key("P-256")
    body = json.dumps({"name": "Sistema de pruebas", **possessed(key, agency)}).encode()
    post("/keys", token, body, "application/json")
    return key


def possessed(key: ECKey, agency: str) -> dict[str, str]:
    """A public key with the proof that whoever sends it holds the private one."""
    said = {"agency": agency, "thumbprint": key.thumbprint(), "platform": BASE_URL, "issued_at": now()}
    return {"public_key": json.dumps(key.as_dict(private=False)), "proof": signed(said, key)}


def with_possession(case: Case[Any]) -> None:
    if isinstance(case.body, dict):
        case.body.update(possessed(ECKey.generate_key("P-256"), SYSTEM[0]))


def but_not_the_signing_one(case: Case[Any]) -> None:
    """The key that signs what is sent here is to live until the end."""
    if case.path_parameters["thumbprint"] == registered_key(*SYSTEM).thumbprint():
        case.path_parameters["thumbprint"] = "0" * 43


def with_a_signed_manifest(case: Case[Any]) -> None:
    """A PDF and text files in place of the generated bytes, and the manifest that they need."""
    if not isinstance(case.body, dict):
        return
    listed = case.body.get("annex")
    annexes = [f"Anexo {number}".encode() for number in range(len(listed) if isinstance(listed, list) else 0)]
    # As text: schemathesis takes a case whose bytes were replaced for one that is meant to be wrong.
    case.body = {"manifest": manifest(annexes, SYSTEM, to=OTHER[0]), "document": a_pdf().decode()}
    if annexes:
        case.body["annex"] = [annex.decode() for annex in annexes]


def receive() -> str:
    """The code of a communication that the other agency's system has just sent to this one."""
    boundary = b"--pruebas\r\nContent-Disposition: form-data; "
    body = boundary + b'name="manifest"\r\n\r\n' + manifest([], OTHER, to=SYSTEM[0]).encode() + b"\r\n"
    body += boundary + b'name="document"; filename="oficio.pdf"\r\n\r\n' + a_pdf() + b"\r\n--pruebas--\r\n"
    return str(post("/communications", OTHER[1], body, "multipart/form-data; boundary=pruebas")["code"])


def manifest(annexes: list[bytes], sender: tuple[str, str], to: str) -> str:
    documents = [described("oficio.pdf", a_pdf(), "main", "application/pdf")]
    documents += [described(f"{number}.txt", one, "annex", "text/plain") for number, one in enumerate(annexes)]
    metadata = {
        "issued_at": now(),
        "sender": {"agency": sender[0], "authority": {"name": "María Pérez", "post": "Directora"}},
        "addressees": [{"agency": to}],
        "reference": "Solicita antecedentes",
        "content": "",
        "type": "letter",
        "classification": "public",
    }
    return signed({"metadata": metadata, "documents": documents}, registered_key(*sender))


def described(name: str, content: bytes, role: str, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "media_type": media_type, "sha256": digest, "size": len(content), "role": role}


def a_pdf() -> bytes:
    body = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    return body + f"trailer<</Root 1 0 R/Size 3>>\nstartxref\n{len(body)}\n%%EOF\n".encode()


def signed(said: dict[str, Any], key: ECKey) -> str:
    return jws.serialize_compact({"alg": "ES256", "kid": key.thumbprint()}, json.dumps(said).encode(), key)


def now() -> str:
    return datetime.now(UTC).isoformat()


COMPLETE = {
    "draftService": with_a_document,
    "putService": with_a_document,
    "proveConsistency": within_the_log,
    "downloadDocument": within_the_document,
    "registerKey": with_possession,
    "revokeKey": but_not_the_signing_one,
    "sendCommunication": with_a_signed_manifest,
    "registerApplication": that_is_sound,
    "changeApplication": that_is_sound,
    "replaceKeys": with_a_public_key,
    "changeLogo": with_a_picture,
}
