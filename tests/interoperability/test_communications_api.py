"""Agencies' systems send, find, download and answer communications through the API."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.interoperability import AE001, Network, a_key, a_manifest, a_pdf, described, signed, upload
from flask import Flask
from sqlalchemy import select

from interoperability.communications.models import Communication
from interoperability.directory.actions import revoke_key
from interoperability.evidence.rules import thumbprint
from interoperability.uploads.settings import UploadSettings
from kernel.base import clock
from kernel.base.installation import SETTINGS
from kernel.database.db import session
from kernel.recording.audit import AuditEvent


@pytest.fixture
def network(app: Flask) -> Network:
    return Network(app)


def stored_files(app: Flask) -> list[Path]:
    folder = SETTINGS.of(app).data_dir / "documents"
    return [path for path in folder.rglob("*") if path.is_file()]


def kind(answer: Any) -> str:
    return str(answer.get_json()["type"]).rpartition("/")[2]


def test_a_communication_goes_from_one_agency_to_another_byte_for_byte(network: Network) -> None:
    main, annex = a_pdf(), b"anexo" * 100_000
    answer = network.send(main=main, annexes=[("anexo ñ.txt", annex)])
    sent = answer.get_json()
    assert answer.status_code == 201
    assert sent["code"].startswith(f"COM-{clock.local(clock.now()):%Y}-")
    assert answer.headers["Location"] == sent["href"]
    assert [step["step"] for step in sent["steps"]] == ["sent", "available"]

    [waiting] = network.get("AE002", "/communications?box=inbox&status=available").get_json()["items"]
    assert waiting["code"] == sent["code"]
    whole = network.get("AE002", waiting["href"].removeprefix("/api/v1")).get_json()
    for document, content in zip(whole["documents"], [main, annex], strict=True):
        got = network.get("AE002", document["href"].removeprefix("/api/v1"))
        assert got.data == content
        assert got.headers["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        assert got.headers["Content-Disposition"].startswith("attachment")

    done = network.post("AE002", f"/communications/{sent['code']}/acknowledgement").get_json()
    assert done["status"] == "acknowledged"
    seen = network.get("AE001", f"/communications/{sent['code']}").get_json()
    assert [step["step"] for step in seen["steps"]] == ["sent", "available", "downloaded", "downloaded", "acknowledged"]
    assert network.get("AE001", "/communications?box=outbox&status=acknowledged").get_json()["items"][0]["code"]


def test_every_step_leaves_an_audit_record(network: Network) -> None:
    code = network.sent()
    network.get("AE002", f"/communications/{code}/documents/1")
    network.post("AE002", f"/communications/{code}/rejection", json={"reason": "No es de nuestra competencia."})
    with network.app.app_context():
        tags = session().scalars(select(AuditEvent.tag).where(AuditEvent.subject == f"communication:{code}")).all()
    assert sorted(tags) == [f"interoperability:communication:{step}" for step in ("downloaded", "rejected", "sent")]


def test_a_download_is_a_step_once_and_only_of_an_addressee(network: Network) -> None:
    code = network.sent()
    path = f"/communications/{code}/documents/1"
    etag = network.client().head(f"/api/v1{path}", headers={"X-Test-Agency": "AE002"}).headers["ETag"]
    assert network.get("AE002", path, headers={"If-None-Match": etag}).status_code == 304
    assert network.get("AE001", path).status_code == 200
    assert "downloaded" not in str(network.get("AE001", f"/communications/{code}").get_json()["steps"])
    network.get("AE002", path)
    network.get("AE002", path)
    steps = network.get("AE001", f"/communications/{code}").get_json()["steps"]
    assert [step["step"] for step in steps].count("downloaded") == 1


def test_a_part_of_a_document_can_be_asked_for(network: Network) -> None:
    code = network.sent()
    path = f"/communications/{code}/documents/1"
    part = network.get("AE002", path, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.data) == (206, a_pdf()[5:10])
    assert network.get("AE002", path, headers={"Range": "bytes=-6"}).data == a_pdf()[-6:]
    beyond = network.get("AE002", path, headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, kind(beyond)) == (416, "range-not-satisfiable")
    for other in ("bytes=9-5", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=-999999", "bytes=-0", ""):
        assert network.get("AE002", path, headers={"Range": other}).status_code == 200, other


@pytest.mark.parametrize("path", ["", "/documents/1", "/receipt"])
def test_anothers_communication_is_a_404(network: Network, path: str) -> None:
    code = network.sent()
    answer = network.get("AE003", f"/communications/{code}{path}")
    unknown = network.get("AE003", f"/communications/COM-2020-000001{path}")
    assert answer.status_code == unknown.status_code == 404
    assert {**answer.get_json(), "instance": ""} == {**unknown.get_json(), "instance": ""}


def test_nobody_answers_what_is_not_theirs(network: Network) -> None:
    code = network.sent()
    assert network.post("AE003", f"/communications/{code}/acknowledgement").status_code == 404
    assert network.post("AE001", f"/communications/{code}/acknowledgement").status_code == 403


def test_a_token_reaches_only_what_its_scopes_name(network: Network) -> None:
    code = network.sent()
    receiver, sender = "AE002 communications.send", "AE001 communications.receive"
    assert network.get(receiver, f"/communications/{code}").status_code == 404
    assert network.get(sender, f"/communications/{code}").status_code == 404
    assert network.get(sender, "/communications?box=outbox").status_code == 403
    assert network.get("AE001 directory.keys", "/communications").status_code == 403
    assert network.get("", "/communications").status_code == 401


def test_an_addressee_does_not_see_how_others_stand(network: Network) -> None:
    code = network.sent(addressees=[{"agency": "AE002"}, {"agency": "AE003", "copy": True}])
    network.post("AE002", f"/communications/{code}/rejection", json={"reason": "Motivo reservado"})
    network.seal()
    seen = network.get("AE003", f"/communications/{code}").get_json()
    assert seen["status"] == "available"
    assert "Motivo reservado" not in json.dumps(seen) + network.receipt(code, "AE003").decode()
    assert network.get("AE001", f"/communications/{code}").get_json()["status"] == "rejected"


def test_an_answer_is_given_once(network: Network) -> None:
    code = network.sent()
    assert network.post("AE002", f"/communications/{code}/acknowledgement").status_code == 200
    again = network.post("AE002", f"/communications/{code}/rejection", json={"reason": "Otro motivo"})
    assert (again.status_code, kind(again)) == (409, "communication-closed")
    assert network.get("AE002", f"/communications/{code}/documents/1").status_code == 200


def test_two_answers_at_once_make_one(network: Network) -> None:
    code = network.sent()
    path = f"/communications/{code}"
    answers = [lambda: network.post("AE002", f"{path}/acknowledgement").status_code] * 2
    answers += [lambda: network.post("AE002", f"{path}/rejection", json={"reason": "No nos toca."}).status_code] * 2
    assert sorted(at_once(answers)) == [200, 200, 409, 409]
    steps = [step["step"] for step in network.get("AE002", path).get_json()["steps"]]
    assert len(steps) == 3, "the same answer twice is one, another one is refused"


# ---- what is refused, and leaves nothing behind ----


def test_a_main_document_that_is_not_a_pdf_is_refused(network: Network) -> None:
    for wrong in (b"hello", a_pdf()[:-30], b"MZ" + b"\0" * 5000):
        answer = network.send(main=wrong)
        assert (answer.status_code, kind(answer)) == (415, "not-a-pdf")
    assert stored_files(network.app) == []


def limited(limit: str) -> dict[type, UploadSettings]:
    return {UploadSettings: UploadSettings(**{limit: 5_000})}


@pytest.mark.parametrize("limit", ["max_document_bytes", "max_annexes_bytes"])
def test_what_is_beyond_a_limit_is_refused(network: Network, limit: str) -> None:
    SETTINGS.fill(network.app, replace(SETTINGS.of(network.app), of_blocks=limited(limit)))
    answer = network.send(main=a_pdf("x" * 4_000), annexes=[("a.txt", b"1" * 3_000), ("b.txt", b"2" * 2_500)])
    main = network.send(main=a_pdf("x" * 6_000))
    refused = main if limit == "max_document_bytes" else answer
    assert (refused.status_code, kind(refused)) == (413, "too-large")


def test_a_body_larger_than_its_manifest_admits_is_cut_off(network: Network) -> None:
    SETTINGS.fill(network.app, replace(SETTINGS.of(network.app), of_blocks=limited("max_document_bytes")))
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), network.key)
    answer = network.post("AE001", "/communications", data=upload(token, a_pdf("x" * 100_000)))
    assert (answer.status_code, kind(answer)) == (413, "too-large")
    assert stored_files(network.app) == []


def test_documents_have_to_be_those_signed(network: Network) -> None:
    listed = [described("oficio.pdf", a_pdf(), "main"), described("a.txt", b"1", "annex", "text/plain")]
    token = signed(a_manifest(listed), network.key)
    for main, annexes in [
        (a_pdf("otro"), [("a.txt", b"1")]),
        (a_pdf(), [("a.txt", b"2")]),
        (a_pdf(), []),
        (a_pdf(), [("a.txt", b"1"), ("b.txt", b"2")]),
    ]:
        answer = network.post("AE001", "/communications", data=upload(token, main, annexes))
        assert (answer.status_code, kind(answer)) == (422, "digest-mismatch")
    assert stored_files(network.app) == []


def test_a_signature_has_to_hold(network: Network) -> None:
    manifest = a_manifest([described("oficio.pdf", a_pdf(), "main")])
    stranger, registered = a_key(), thumbprint(network.key.as_dict(private=False))
    header, _payload, signature = signed(manifest, network.key).split(".")
    other = signed({**manifest, "documents": []}, network.key).split(".")[1]
    cases = {
        signed(manifest, stranger): (422, "key-not-accepted"),
        signed(manifest, stranger, kid=registered): (400, "signature-invalid"),
        f"{header}.{other}.{signature}": (400, "signature-invalid"),
        "e30..": (400, "signature-invalid"),
        "ñ": (400, "signature-invalid"),
        "": (400, "signature-invalid"),
    }
    for token, expected in cases.items():
        answer = network.send(token=token)
        assert (answer.status_code, kind(answer)) == expected, token


def test_a_signature_without_algorithm_is_refused(network: Network) -> None:
    import base64

    kid = thumbprint(network.key.as_dict(private=False))
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": kid}).encode()).decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(a_manifest([])).encode()).decode().rstrip("=")
    assert kind(network.send(token=f"{header}.{body}.")) == "signature-invalid"


@pytest.mark.parametrize("algorithm", ["EdDSA", "PS256"])
def test_other_kinds_of_keys_sign_as_well(network: Network, algorithm: str) -> None:
    key = a_key(algorithm)
    network.register(key, algorithm=algorithm)
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), key, algorithm)
    assert network.send(token=token).status_code == 201


def test_a_revoked_key_signs_no_more(network: Network) -> None:
    with network.acting(AE001) as principal:
        revoke_key(principal, thumbprint(network.key.as_dict(private=False)), "Se perdió el equipo")
    answer = network.send()
    assert (answer.status_code, kind(answer)) == (422, "key-not-accepted")


def test_anothers_key_does_not_sign_for_us(network: Network) -> None:
    answer = network.send(agency="AE002")
    assert (answer.status_code, kind(answer)) == (422, "key-not-accepted")


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"addressees": [{"agency": "AE002", "copy": True}]}, "metadata.addressees"),
        ({"addressees": [{"agency": "AE002"}, {"agency": "AE002"}]}, "metadata.addressees"),
        ({"addressees": [{"agency": "AE001"}]}, "metadata.addressees"),
        ({"addressees": [{"agency": "AE999"}]}, "metadata.addressees"),
        ({"addressees": []}, "metadata.addressees"),
        ({"reference": ""}, "metadata.reference"),
        ({"reference": "a\x00b"}, "metadata.reference"),
        ({"reference": "\ud800"}, "metadata.reference"),
        ({"type": "spam"}, "metadata.type"),
        ({"classification": "top"}, "metadata.classification"),
        ({"issued_at": "2020-01-01T00:00:00Z"}, "metadata.issued_at"),
        ({"issued_at": "2026-01-01T00:00:00"}, "metadata.issued_at"),
        ({"surprise": 1}, "metadata.surprise"),
    ],
)
def test_a_manifest_says_what_the_law_asks(network: Network, metadata: dict[str, Any], field: str) -> None:
    answer = network.send(**metadata)
    assert answer.status_code == 422
    assert field in answer.get_json()["errors"]


def test_a_manifest_that_is_not_one_is_refused(network: Network) -> None:
    for content in (b"[]", b"null", b"{}", b"1", b'{"metadata": []}'):
        assert network.send(token=signed(content, network.key)).status_code == 422
    for content in (b"", b"{", b"\xff", b"[" * 100_000):
        assert network.send(token=signed(content, network.key)).status_code == 400


def test_another_body_than_multipart_is_refused(network: Network) -> None:
    assert network.post("AE001", "/communications", json={}).status_code == 415
    assert network.post("AE001", "/communications", data=b"x", content_type="multipart/form-data").status_code == 415
    body = {"data": b"no boundary here", "content_type": "multipart/form-data; boundary=b"}
    assert network.post("AE001", "/communications", **body).status_code == 400
    empty = {"data": b"--b--\r\n", "content_type": "multipart/form-data; boundary=b"}
    assert network.post("AE001", "/communications", **empty).status_code == 400


# ---- the same request again ----


def test_the_same_key_and_manifest_get_the_same_answer(network: Network) -> None:
    manifest = a_manifest([described("oficio.pdf", a_pdf(), "main")])
    first = network.send(manifest=manifest, headers={"Idempotency-Key": "k1"})
    again = network.send(manifest=manifest, headers={"Idempotency-Key": "k1"})  # signed anew: another JWS
    assert again.status_code == first.status_code == 201
    assert again.get_json()["code"] == first.get_json()["code"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(stored_files(network.app)) == 1


def test_the_same_key_with_another_content_is_a_conflict(network: Network) -> None:
    code = network.send(headers={"Idempotency-Key": "k1"}).get_json()["code"]
    other = network.send(headers={"Idempotency-Key": "k1"})
    assert (other.status_code, kind(other)) == (409, "already-sent")
    assert code in other.get_json()["detail"]


def test_a_replayed_manifest_is_a_conflict(network: Network) -> None:
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), network.key)
    assert network.send(token=token).status_code == 201
    assert kind(network.send(token=token)) == "already-sent"
    assert kind(network.send(token=token, headers={"Idempotency-Key": "k2"})) == "already-sent"


def test_a_captured_manifest_expires(network: Network) -> None:
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), network.key)
    with clock.shifted(timedelta(hours=25)):
        assert network.send(token=token).status_code == 422


def test_the_same_request_at_once_makes_one_communication(network: Network) -> None:
    manifest = a_manifest([described("oficio.pdf", a_pdf(), "main")])
    send = lambda: network.send(manifest=manifest, headers={"Idempotency-Key": "k1"}).get_json()["code"]  # noqa: E731
    assert len(set(at_once([send] * 6))) == 1
    with network.app.app_context():
        assert len(session().scalars(select(Communication)).all()) == 1
    assert len(stored_files(network.app)) == 1


def at_once(calls: list[Any]) -> list[Any]:
    results: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(index: int) -> None:
        barrier.wait()
        results[index] = calls[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
