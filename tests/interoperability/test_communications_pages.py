"""Officials send, read and answer in pages."""

from __future__ import annotations

import io
import json
import re
from hashlib import sha256
from html import unescape
from typing import Any

import pytest
from builders.forms import hidden_inputs
from builders.identity import an_agency, an_official, sign_in_for
from builders.interoperability import a_key, a_pdf, proof_of
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from interoperability.evidence.rules import thumbprint
from interoperability.receipts import rules
from interoperability.uploads.settings import UploadSettings
from kernel.base.installation import SETTINGS
from kernel.recording.sealing import seal_all


@pytest.fixture
def correspondents(app: Flask) -> dict[str, FlaskClient]:
    """A signed-in browser for a correspondent of each of three agencies; the first is administrator as well."""
    with app.app_context():
        people = {
            code: an_official(an_agency(code, f"Servicio {code}"), "administrator", "correspondent")
            for code in ("AE001", "AE002", "AE003")
        }
    clients = {code: app.test_client() for code in people}
    for code, client in clients.items():
        sign_in_for(client, people[code], code)
    return clients


def letter(main: bytes | None = None, **more: Any) -> dict[str, Any]:
    content = a_pdf() if main is None else main
    return {
        "addressee": "AE002",
        "person": "Juan Soto",
        "post": "Jefe de Gabinete",
        "authority_name": "María Pérez",
        "authority_post": "Directora",
        "type": "letter",
        "classification": "public",
        "reference": "Solicita antecedentes",
        "summary": "Línea uno\r\nLínea dos",
        "document": (io.BytesIO(content), "C:\\oficios\\oficio n° 1.pdf", "application/pdf"),
        **more,
    }


NEW = "/agency/communications/new"


def review(client: FlaskClient, **more: Any) -> TestResponse:
    """Fill in the form and look it over."""
    return client.post(NEW, data=letter(step="review", **more), content_type="multipart/form-data")


def send(client: FlaskClient, **more: Any) -> TestResponse:
    """Fill in the form, look it over and send it; the form again, where something is wrong with it."""
    shown = review(client, **more)
    return client.post(NEW, data={**hidden(shown.text), "step": "send"}) if shown.status_code == 200 else shown


def test_a_letter_goes_out_arrives_and_is_acknowledged(app: Flask, correspondents: dict[str, FlaskClient]) -> None:
    sender, addressee = correspondents["AE001"], correspondents["AE002"]
    annexes = [(io.BytesIO(b"uno"), "a.txt"), (io.BytesIO(b"dos"), "b.txt")]
    address = str(send(sender, annexes=annexes, copies="ae003").location)
    code = address.rpartition("/")[2]
    shown = sender.get(address).text
    assert "oficio n° 1.pdf" in shown
    assert "oficios\\" not in shown
    assert code in sender.get("/agency/communications?box=outbox&status=available").text
    assert code in correspondents["AE003"].get("/agency/communications").text

    assert code in addressee.get("/agency/communications").text
    documents = re.findall(rf'href="({address}/documents/\d)"', addressee.get(address).text)
    assert [addressee.get(document).data for document in documents] == [a_pdf(), b"uno", b"dos"]
    assert addressee.post(f"{address}/acknowledgement").location == address
    assert "/acknowledgement" not in addressee.get(address).text
    seal_all(app)
    receipt = sender.get(f"{address}/receipt")
    assert receipt.headers["Content-Disposition"] == f"attachment; filename={code}-receipt.json"
    checks = rules.verify(receipt.data)
    assert all(check.ok for check in checks), checks
    assert "by the platform" in checks[-1].why
    assert "AE002: acknowledged; AE003: available" in checks[4].why


def test_the_header_marks_the_nearest_place_only(correspondents: dict[str, FlaskClient]) -> None:
    page = correspondents["AE001"].get("/agency/communications/new").text
    assert re.findall(r'<a href="([^"]+)" aria-current="true">', page) == ["/agency/communications"]


def test_a_rejection_needs_a_reason_and_is_shown_to_the_sender(correspondents: dict[str, FlaskClient]) -> None:
    address = str(send(correspondents["AE001"]).location)
    refused = correspondents["AE002"].post(f"{address}/rejection", data={"reason": ""})
    assert refused.status_code == 422
    correspondents["AE002"].post(f"{address}/rejection", data={"reason": "No es de nuestra competencia"})
    assert "No es de nuestra competencia" in correspondents["AE001"].get(address).text
    assert correspondents["AE002"].post(f"{address}/acknowledgement").status_code == 409


@pytest.mark.parametrize("path", ["", "/documents/1", "/receipt"])
def test_anothers_letter_is_a_404(correspondents: dict[str, FlaskClient], path: str) -> None:
    address = str(send(correspondents["AE001"]).location)
    assert correspondents["AE003"].get(address + path).status_code == 404
    assert correspondents["AE003"].post(f"{address}/acknowledgement").status_code == 404


def test_who_has_a_copy_does_not_answer(correspondents: dict[str, FlaskClient]) -> None:
    address = str(send(correspondents["AE001"], copies="AE003").location)
    assert correspondents["AE003"].post(f"{address}/acknowledgement").status_code == 403
    assert "acknowledgement" not in correspondents["AE003"].get(address).text


@pytest.mark.parametrize(
    ("wrong", "marked"),
    [
        ({"main": b"not a pdf"}, "document"),
        ({"main": b""}, "document"),
        ({"addressee": ""}, "addressee"),
        ({"addressee": "AE999"}, "addressee"),
        ({"copies": "AE999"}, "addressee"),
        ({"reference": ""}, "reference"),
        ({"authority_post": ""}, "authority_post"),
        ({"post": ""}, "person"),
        ({"reference": "x" * 501}, "reference"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_the_rest_is_kept(
    correspondents: dict[str, FlaskClient], wrong: dict[str, Any], marked: str
) -> None:
    answer = send(correspondents["AE001"], **wrong)
    assert answer.status_code == 422
    assert f'id="{marked}-error"' in answer.text
    assert "María Pérez" in answer.text
    assert "COM-" not in correspondents["AE001"].get("/agency/communications?box=outbox").text


@pytest.mark.parametrize("language", ["es", "en"])
def test_an_empty_file_is_told_where_it_was_chosen_and_by_its_name(
    correspondents: dict[str, FlaskClient], language: str
) -> None:
    said = {"es": "vacio.txt está vacío.", "en": "vacio.txt is empty."}[language]
    sender = correspondents["AE001"]
    sender.get(f"/language/{language}")
    answer = send(sender, annexes=[(io.BytesIO(b"uno"), "a.txt"), (io.BytesIO(b""), "vacio.txt")])
    assert answer.status_code == 422
    assert told_at(answer.text, "annexes") == said
    assert 'id="document-error"' not in answer.text
    answer = send(sender, document=(io.BytesIO(b""), "vacio.txt"))
    assert told_at(answer.text, "document") == said


def test_what_is_wrong_with_an_annex_is_told_at_the_annexes(correspondents: dict[str, FlaskClient]) -> None:
    sender = correspondents["AE001"]
    answer = send(sender, annexes=[(io.BytesIO(b"uno"), "anexo\u202efdp.exe")])
    assert answer.status_code == 422
    assert "U+202E" in told_at(answer.text, "annexes")
    limits = SETTINGS.of(sender.application).of(UploadSettings)
    large = [(io.BytesIO(b"x" * limits.max_annexes_bytes), "a.bin"), (io.BytesIO(b"x"), "b.bin")]
    answer = send(sender, annexes=large)
    assert answer.status_code == 422
    assert told_at(answer.text, "annexes").startswith("b.bin: ")


def test_whom_it_is_for_is_told_at_their_own_fields(correspondents: dict[str, FlaskClient]) -> None:
    answer = send(correspondents["AE001"], person="Juan\u202eSoto", post="Jefe\u2066")
    assert "U+202E" in told_at(answer.text, "person")
    assert "U+2066" in told_at(answer.text, "post")


def test_a_name_that_is_too_long_keeps_its_end(correspondents: dict[str, FlaskClient]) -> None:
    sender = correspondents["AE001"]
    address = str(send(sender, annexes=[(io.BytesIO(b"uno"), "😀" * 80 + ".txt")]).location)
    assert "😀" * 62 + ".txt" in sender.get(address).text


def told_at(page: str, field: str) -> str:
    """The message at a field."""
    found = re.search(rf'id="{field}-error">(?:<svg.*?</svg>)?\s*(.*?)</p>', page, re.DOTALL)
    assert found, page
    return unescape(found[1])


def test_a_form_that_lacks_its_file_says_so(correspondents: dict[str, FlaskClient]) -> None:
    data = {name: value for name, value in letter().items() if name != "document"}
    answer = correspondents["AE001"].post(NEW, data=data)
    assert (answer.status_code, 'id="document-error"' in answer.text) == (422, True)


def test_a_receipt_that_is_not_sealed_yet_asks_for_patience(app: Flask, correspondents: dict[str, FlaskClient]) -> None:
    address = str(send(correspondents["AE001"]).location)
    assert correspondents["AE001"].get(f"{address}/receipt").location == address
    seal_all(app)
    assert correspondents["AE001"].get(f"{address}/receipt").status_code == 200


def test_only_correspondents_come_in(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        publisher = an_official(an_agency("AE005", "Servicio"), "publisher")
    assert client.get("/agency/communications").location.startswith("/sign-in")
    sign_in_for(client, publisher, "AE005")
    for path in ("", "/new", "/COM-2026-000001", "/COM-2026-000001/receipt"):
        assert client.get(f"/agency/communications{path}").status_code == 403
    assert client.get("/agency/keys").status_code == 403


def test_an_administrator_registers_and_revokes_keys(correspondents: dict[str, FlaskClient]) -> None:
    client, key = correspondents["AE001"], a_key()
    new = {"name": "Gestor documental", "public_key": key.as_pem(private=False).decode()}
    for proof in (
        "",
        "nonsense",
        proof_of(key, "AE002"),
        proof_of(key, "AE001", "http://other"),
        proof_of(a_key(), "AE001"),
    ):
        answer = client.post("/agency/keys", data={**new, "proof": proof})
        assert (answer.status_code, 'id="proof-error"' in answer.text) == (422, True), proof
    assert client.post("/agency/keys", data={**new, "proof": proof_of(key, "AE001")}).status_code == 303
    name = thumbprint(key.as_dict(private=False))
    assert name in client.get("/agency/keys").text
    again = correspondents["AE002"].post("/agency/keys", data={**new, "proof": proof_of(key, "AE002")})
    assert again.status_code == 422

    address = f"/agency/keys/{name}/revocation"
    assert correspondents["AE002"].get(address).status_code == 404
    assert correspondents["AE002"].post(address, data={"reason": "Motivo"}).status_code == 404
    assert client.post(address, data={"reason": ""}).status_code == 422
    assert client.post(address, data={"reason": "Equipo perdido"}).status_code == 303
    assert address not in client.get("/agency/keys").text


def test_after_the_key_kept_here_is_revoked_a_new_one_signs(correspondents: dict[str, FlaskClient]) -> None:
    client = correspondents["AE001"]
    send(client)
    [first] = re.findall(r"/agency/keys/([\w-]+)/revocation", client.get("/agency/keys").text)
    client.post(f"/agency/keys/{first}/revocation", data={"reason": "Por precaución"})
    assert send(client).status_code == 303
    assert json.dumps(re.findall(r"/agency/keys/([\w-]+)/revocation", client.get("/agency/keys").text)) != first


def test_what_is_about_to_be_signed_is_looked_over_first(correspondents: dict[str, FlaskClient]) -> None:
    sender = correspondents["AE001"]
    annexes = [(io.BytesIO(b"uno"), "a.txt")]
    page = review(sender, annexes=annexes, copies="AE003")
    assert page.status_code == 200
    for shown in ("Servicio AE002", "Servicio AE003", "Juan Soto, Jefe de Gabinete", "oficio n° 1.pdf", "a.txt"):
        assert shown in page.text
    assert sha256(a_pdf()).hexdigest() in page.text
    assert "COM-" not in sender.get("/agency/communications?box=outbox").text, "nothing was sent yet"
    address = str(sender.post(NEW, data={**hidden(page.text), "step": "send"}).location)
    documents = re.findall(rf'href="({address}/documents/\d)"', sender.get(address).text)
    assert [sender.get(document).data for document in documents] == [a_pdf(), b"uno"]
    assert address.rpartition("/")[2] in correspondents["AE003"].get("/agency/communications").text


def test_whoever_goes_back_from_the_review_finds_everything_and_the_files(
    correspondents: dict[str, FlaskClient],
) -> None:
    sender = correspondents["AE001"]
    page = review(sender, copies="AE003")
    back = sender.post(NEW, data={**hidden(page.text), "step": "change"})
    assert back.status_code == 200
    assert 'value="Solicita antecedentes"' in back.text
    assert "oficio n° 1.pdf" in back.text
    assert re.search(r'<input[^>]*checked[^>]*value="AE003"', back.text)
    changed = {name: value for name, value in letter().items() if name != "document"} | {"reference": "Otra materia"}
    page = sender.post(NEW, data={**changed, "stored_files": hidden(back.text)["stored_files"], "step": "review"})
    sent = sender.post(NEW, data={**hidden(page.text), "step": "send"})
    assert "Otra materia" in sender.get(str(sent.location)).text


@pytest.mark.parametrize("step", [None, "", "send", "review", "sent"])
def test_nothing_is_sent_that_was_not_looked_over(correspondents: dict[str, FlaskClient], step: str | None) -> None:
    sender = correspondents["AE001"]
    unseen = letter() if step is None else letter(step=step)
    page = sender.post(NEW, data=unseen, content_type="multipart/form-data")
    assert page.status_code == 200
    assert 'id="review"' in page.text
    changed = {**hidden(page.text), "step": "send"} | {"reference": "Otra materia"}
    page = sender.post(NEW, data=changed)
    assert page.status_code == 200, "what was changed since is shown as well"
    assert "Otra materia" in page.text
    annex = {"annexes": (io.BytesIO(b"uno"), "a.txt")}
    page = sender.post(NEW, data={**hidden(page.text), "step": "send", **annex}, content_type="multipart/form-data")
    assert page.status_code == 200
    assert "a.txt" in page.text
    assert "COM-" not in sender.get("/agency/communications?box=outbox").text
    assert sender.post(NEW, data={**hidden(page.text), "step": "send"}).status_code == 303


def test_what_another_official_looked_over_is_looked_over_again(correspondents: dict[str, FlaskClient]) -> None:
    reviewed = hidden(review(correspondents["AE001"]).text)["reviewed"]
    answer = correspondents["AE003"].post(
        NEW, data=letter(step="send", reviewed=reviewed), content_type="multipart/form-data"
    )
    assert answer.status_code == 200
    assert 'id="review"' in answer.text


@pytest.mark.parametrize(("field", "times"), [("document", 2), ("document", 10), ("annexes", 2), ("annexes", 3)])
def test_a_file_that_is_far_too_large_is_told_at_its_field_and_the_rest_is_kept(
    correspondents: dict[str, FlaskClient], field: str, times: int
) -> None:
    sender = correspondents["AE001"]
    limits = SETTINGS.of(sender.application).of(UploadSettings)
    most = {"document": limits.max_document_bytes, "annexes": limits.max_annexes_bytes}[field]
    answer = review(sender, **{field: [(io.BytesIO(a_pdf() + b"x" * (times * most)), "video.bin")]})
    assert answer.status_code == 422
    assert told_at(answer.text, field).startswith("video.bin: ")
    assert 'value="Solicita antecedentes"' in answer.text
    assert ("oficio n° 1.pdf" in answer.text) == (field == "annexes"), "the other file is kept"


def test_files_stay_when_something_else_in_the_form_is_wrong(correspondents: dict[str, FlaskClient]) -> None:
    sender = correspondents["AE001"]
    wrong = review(sender, reference="")
    assert wrong.status_code == 422
    assert "oficio n° 1.pdf" in wrong.text
    mended = {name: value for name, value in letter().items() if name != "document"}
    page = sender.post(NEW, data={**mended, "stored_files": hidden(wrong.text)["stored_files"], "step": "review"})
    assert sender.post(NEW, data={**hidden(page.text), "step": "send"}).status_code == 303


def test_files_that_were_sent_are_chosen_anew(correspondents: dict[str, FlaskClient]) -> None:
    sender = correspondents["AE001"]
    shown = hidden(review(sender).text)
    assert sender.post(NEW, data={**shown, "step": "send"}).status_code == 303
    again = {name: value for name, value in letter().items() if name != "document"} | {
        "stored_files": shown["stored_files"]
    }
    answer = sender.post(NEW, data={**again, "step": "send"})
    assert (answer.status_code, 'id="document-error"' in answer.text) == (422, True)


def test_files_that_another_official_chose_are_not_to_be_had(correspondents: dict[str, FlaskClient]) -> None:
    kept = hidden(review(correspondents["AE001"]).text)["stored_files"]
    data = {name: value for name, value in letter(addressee="AE003").items() if name != "document"}
    answer = correspondents["AE002"].post(NEW, data={**data, "stored_files": kept})
    assert answer.status_code == 422
    assert 'id="document-error"' in answer.text


def test_copies_are_chosen_from_a_list_of_agencies(correspondents: dict[str, FlaskClient]) -> None:
    page = correspondents["AE001"].get("/agency/communications/new").text
    boxes = re.findall(r'<input[^>]*name="copies"[^>]*>', page)
    assert [re.search('value="([^"]+)"', box)[1] for box in boxes] == ["AE002", "AE003"]  # type: ignore[index]
    assert all('type="checkbox"' in box for box in boxes)


def test_the_sender_and_the_day_stand_under_the_title(correspondents: dict[str, FlaskClient]) -> None:
    address = str(send(correspondents["AE001"]).location)
    header = correspondents["AE002"].get(address).text.split('<header class="page-header">')[1].split("</header>")[0]
    assert "Enviada por Servicio AE001 (AE001) el " in header


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the page's form."""
    return hidden_inputs(page, NEW)


def test_the_agencys_home_says_first_pending_decisions(correspondents: dict[str, FlaskClient]) -> None:
    addressee = correspondents["AE002"]
    assert "Nada le espera" in addressee.get("/agency").text
    address = str(send(correspondents["AE001"], copies="AE003").location)
    waiting = addressee.get("/agency").text.split('id="tasks"')[1].split("</section>")[0]
    assert "comunicaciones sin descargar" in waiting
    assert 'href="/agency/communications?status=available"' in waiting
    assert addressee.get(f"{address}/documents/1").data == a_pdf()
    waiting = addressee.get("/agency").text.split('id="tasks"')[1].split("</section>")[0]
    assert "comunicaciones descargadas y sin responder" in waiting
    addressee.post(f"{address}/acknowledgement")
    assert "Nada le espera" in addressee.get("/agency").text
    assert "Nada le espera" in correspondents["AE003"].get("/agency").text, "a copy asks for no answer"
