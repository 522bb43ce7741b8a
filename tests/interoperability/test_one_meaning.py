"""A signed text has one meaning, for people and for programs."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from builders.interoperability import Network, a_key, a_manifest, a_pdf, described, proof_of, signed
from flask import Flask
from werkzeug.test import TestResponse

from interoperability.receipts import rules
from kernel.base import clock


@pytest.fixture
def network(app: Flask) -> Network:
    return Network(app)


def errors(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 422, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()["errors"]
    return found


def sent_with(network: Network, name: str, media_type: str = "text/plain") -> TestResponse:
    listed = [described("oficio.pdf", a_pdf(), "main"), described(name, b"anexo", "annex", media_type)]
    return network.send(manifest=a_manifest(listed), annexes=[("anexo", b"anexo")])


# ---- a member twice ----


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"reference": "Solicita antecedentes"', '"reference": "A", "reference": "B"'),
        ('"documents": [', '"documents": [], "documents": ['),
        ('"post": "Directora"', '"post": "Directora", "post": "Directora"'),
        ('"size": {size}', '"size": {size}, "size": 1'),
    ],
)
def test_a_signed_manifest_names_each_member_once(network: Network, once: str, twice: str) -> None:
    text = json.dumps(a_manifest([described("oficio.pdf", a_pdf(), "main")]))
    once, twice = (part.replace("{size}", str(len(a_pdf()))) for part in (once, twice))
    assert once in text
    answer = network.send(token=signed(text.replace(once, twice).encode(), network.key))
    assert answer.status_code == 400
    assert once.partition(":")[0].strip('"') in answer.get_json()["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_signed_manifest_has_only_numbers_of_json(network: Network, number: str) -> None:
    text = json.dumps(a_manifest([described("oficio.pdf", a_pdf(), "main")])).replace(str(len(a_pdf())), number)
    assert network.send(token=signed(text.encode(), network.key)).status_code == 400


def test_the_header_of_a_signature_names_each_member_once(network: Network) -> None:
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), network.key)
    header, payload, signature = token.split(".")
    said = base64.urlsafe_b64decode(header + "==").decode()
    twice = base64.urlsafe_b64encode(said.replace("{", '{"alg": "none", ', 1).encode()).decode().rstrip("=")
    answer = network.send(token=f"{twice}.{payload}.{signature}")
    assert (answer.status_code, answer.get_json()["type"].rpartition("/")[2]) == (400, "signature-invalid")


def test_every_body_of_the_interface_names_each_member_once(network: Network) -> None:
    code = network.sent()
    body = {"data": '{"reason": "Uno dos tres", "reason": "Otro"}', "content_type": "application/json"}
    answer = network.post("AE002", f"/communications/{code}/rejection", **body)
    assert answer.status_code == 400
    assert "reason" in answer.get_json()["detail"]
    assert network.get("AE002", f"/communications/{code}").get_json()["status"] == "available"


# ---- names and texts ----


@pytest.mark.parametrize(
    "name",
    [
        "anexo\u202efdp.exe",
        "a\u2066b.txt",
        "a\u200bb.txt",
        "\ufeffa.txt",
        "a\x85b",
        "a\rb",
        "a\u061cb",
        "a\u00adb",
        "a\u3164b",
    ],
)
def test_a_name_that_does_not_show_as_it_is_is_refused_and_the_character_told(network: Network, name: str) -> None:
    [message] = errors(sent_with(network, name))["documents.1.name"]
    odd = next(one for one in name if not one.isprintable() or one == "\u3164")
    assert f"U+{ord(odd):04X}" in message


def test_a_name_fits_into_every_file_system(network: Network) -> None:
    assert "255" in errors(sent_with(network, "😀" * 80 + ".txt"))["documents.1.name"][0]
    assert sent_with(network, "😀" * 62 + ".txt").status_code == 201


@pytest.mark.parametrize("text", ["   ", "\u00a0", "\u3000 "])
def test_what_has_to_be_said_is_more_than_white_space(network: Network, text: str) -> None:
    assert "metadata.reference" in errors(network.send(reference=text))
    addressees = [{"agency": "AE002", "persons": [{"name": text, "post": "Directora"}]}]
    assert "metadata.addressees.0.persons.0.name" in errors(network.send(addressees=addressees))


@pytest.mark.parametrize("text", ["a\u202eb", "a\x0bb", "a\rb", "a\u2028b"])
def test_a_text_names_the_character_that_it_may_not_have(network: Network, text: str) -> None:
    for field in ("reference", "content"):
        said: dict[str, Any] = {field: text}
        assert f"U+{ord(text[1]):04X}" in errors(network.send(**said))[f"metadata.{field}"][0]


def test_lines_may_end_as_windows_and_forms_end_them(network: Network) -> None:
    answer = network.send(content="Línea uno\r\nLínea dos\r\n\r\nFin")
    assert answer.status_code == 201
    assert answer.get_json()["content"] == "Línea uno\nLínea dos\n\nFin"
    said = network.post(
        "AE002", f"/communications/{answer.get_json()['code']}/rejection", json={"reason": "No:\r\nuno"}
    )
    assert said.get_json()["addressees"][0]["reason"] == "No:\nuno"


# ---- media types ----


@pytest.mark.parametrize(
    "media_type", ["application/vnd.ms-excel.sheet.macroEnabled.12", "TEXT/Plain", "application/vnd.Quark.QuarkXPress"]
)
def test_a_media_type_has_no_case(network: Network, media_type: str) -> None:
    answer = sent_with(network, "planilla.xlsm", media_type)
    assert answer.status_code == 201
    code = answer.get_json()["code"]
    assert answer.get_json()["documents"][1]["media_type"] == media_type
    sent = network.get("AE002", f"/communications/{code}/documents/2")
    assert sent.headers["Content-Type"].partition(";")[0] == media_type


def test_a_main_document_is_a_pdf_in_any_case(network: Network) -> None:
    listed = [described("oficio.pdf", a_pdf(), "main", "Application/PDF")]
    assert network.send(manifest=a_manifest(listed)).status_code == 201


def test_the_body_may_be_called_multipart_in_any_case(network: Network) -> None:
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), network.key)
    parts = [("manifest", token.encode()), ("document", a_pdf())]
    body = b"".join(
        b'--b\r\ncontent-disposition: FORM-DATA; NAME="%s"; filename="x"\r\n\r\n%s\r\n' % (name.encode(), content)
        for name, content in parts
    )
    content_type = "Multipart/Form-Data; Boundary=b"
    answer = network.post("AE001", "/communications", data=body + b"--b--\r\n", content_type=content_type)
    assert answer.status_code == 201, answer.get_data(as_text=True)


# ---- the same again ----


def aged(network: Network) -> dict[str, Any]:
    signed_at = clock.now() - timedelta(hours=23, minutes=59, seconds=50)
    return a_manifest([described("oficio.pdf", a_pdf(), "main")], issued_at=signed_at.isoformat())


def test_what_was_sent_in_time_is_answered_again_at_any_time(network: Network) -> None:
    manifest, key = aged(network), {"Idempotency-Key": "k1"}
    token = signed(manifest, network.key)
    first = network.send(token=token, headers=key)
    assert first.status_code == 201
    with clock.shifted(timedelta(minutes=1)):
        for again in (network.send(token=token, headers=key), network.send(manifest=manifest, headers=key)):
            assert (again.status_code, again.get_json()["code"]) == (201, first.get_json()["code"])
            assert again.headers["Idempotency-Replayed"] == "true"
        assert network.send(token=token).status_code == 409
        assert network.send(manifest=aged(network) | {"documents": []}).status_code == 422


def test_a_retry_is_answered_although_its_key_was_revoked_meanwhile(network: Network) -> None:
    token = signed(a_manifest([described("oficio.pdf", a_pdf(), "main")]), network.key)
    first = network.send(token=token, headers={"Idempotency-Key": "k1"})
    thumbprint = network.key.thumbprint()
    assert network.post("AE001", f"/keys/{thumbprint}/revocation", json={"reason": "Se perdió"}).status_code == 200
    again = network.send(token=token, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.get_json()["code"]) == (201, first.get_json()["code"])
    assert network.send(token=token, headers={"Idempotency-Key": "k2"}).status_code == 422


def test_an_answer_given_again_gets_the_first_answer_again(network: Network) -> None:
    code = network.sent()
    path = f"/communications/{code}/acknowledgement"
    first, again = network.post("AE002", path), network.post("AE002", path)
    assert (again.status_code, again.get_json()) == (first.status_code, first.get_json())
    other = network.sent(reference="Otra")
    said = {"json": {"reason": "No es de nuestra competencia."}}
    first, again = (network.post("AE002", f"/communications/{other}/rejection", **said) for _ in range(2))
    assert (again.status_code, again.get_json()) == (200, first.get_json())


def test_another_answer_is_told_who_answered_what_and_when(network: Network) -> None:
    code = network.sent()
    network.post("AE002", f"/communications/{code}/rejection", json={"reason": "No es de nuestra competencia."})
    for path, body in (("acknowledgement", None), ("rejection", {"reason": "Otro motivo"})):
        answer = network.post("AE002", f"/communications/{code}/{path}", json=body, headers={"Accept-Language": "en"})
        assert answer.status_code == 409
        assert answer.get_json()["detail"].startswith("A system rejected it on ")


# ---- receipts ----


def test_a_receipt_holds_exactly_the_members_it_had(network: Network) -> None:
    code = network.sent()
    content = network.receipt(code)
    keys = network.get("AE001", "/evidence/keys").get_json()["keys"]
    assert all(check.ok for check in rules.verify(content, keys))
    places = list(objects_of(json.loads(content)))
    assert len(places) > 5
    for index in range(len(places)):
        receipt = json.loads(content)
        list(objects_of(receipt))[index]["nota"] = "x"
        assert not all(check.ok for check in rules.verify(rules.write_receipt(receipt), keys)), index
        assert not all(check.ok for check in rules.verify(rules.write_receipt(receipt))), index


def objects_of(value: Any) -> Any:
    """Every object inside, the whole first."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects_of(inner)


def test_a_proof_of_possession_names_each_member_once(network: Network) -> None:
    key = a_key()
    proof = proof_of(key, "AE002")
    said = json.loads(base64.urlsafe_b64decode(proof.split(".")[1] + "=="))
    text = json.dumps(said).replace("{", '{"agency": "AE001", ', 1)
    body = {
        "name": "Sistema",
        "public_key": json.dumps(key.as_dict(private=False)),
        "proof": signed(text.encode(), key),
    }
    assert "proof" in errors(network.post("AE002", "/keys", json=body))
