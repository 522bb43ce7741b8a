"""Uploads that break off, lie about their length, or are killed: nothing of them is visible afterwards."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from builders.interoperability import HEADER, Network, a_manifest, a_pdf, described, signed
from flask import Flask
from obstore.exceptions import GenericError
from werkzeug.test import TestResponse

from interoperability.communications.actions import sweep_documents
from interoperability.uploads.rules import FILES_KEPT
from kernel.base.errors import OutOfSpace
from kernel.base.installation import SETTINGS
from kernel.http.uploads import LONGEST_UPLOAD
from kernel.outside.documents import ORPHAN_AFTER

BOUNDARY = "frontera"


@pytest.fixture
def network(app: Flask) -> Network:
    return Network(app)


def body(network: Network, main: bytes) -> bytes:
    token = signed(a_manifest([described("oficio.pdf", main, "main")]), network.key)
    return (
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="manifest"\r\n\r\n{token}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="document"; filename="oficio.pdf"\r\n'
            "Content-Type: application/pdf\r\n\r\n"
        ).encode()
        + main
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


def post(network: Network, content: bytes, length: int | None = None) -> TestResponse:
    return network.client().post(
        "/api/v1/communications",
        input_stream=io.BytesIO(content),
        environ_overrides={"CONTENT_LENGTH": str(len(content) if length is None else length)},
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        headers={HEADER: "AE001"},
    )


def nothing_remains(network: Network) -> bool:
    folder: Path = SETTINGS.of(network.app).data_dir
    box = network.get("AE001", "/communications?box=outbox").get_json()["items"]
    return not box and not [path for path in (folder / "documents").rglob("*") if path.is_file()]


def test_a_hand_made_body_is_accepted(network: Network) -> None:
    assert post(network, body(network, a_pdf())).status_code == 201


@pytest.mark.parametrize("missing", [1, 5, 20, 100, 9_000_000])
def test_a_body_that_ends_early_is_refused(network: Network, missing: int) -> None:
    whole = body(network, a_pdf("x" * 10_000_000))
    # A connection that closes: fewer bytes come than were announced.
    assert post(network, whole[:-missing], len(whole)).status_code == 400
    assert nothing_remains(network)


@pytest.mark.parametrize("missing", [5, 20, 100, 9_000_000])
def test_a_body_without_its_end_is_refused(network: Network, missing: int) -> None:
    whole = body(network, a_pdf("x" * 10_000_000))
    # A client that announces what it sends, and does not send all of it.
    assert post(network, whole[:-missing]).status_code == 400
    assert nothing_remains(network)


def test_a_body_beyond_the_limit_of_the_whole_is_refused_at_once(network: Network) -> None:
    assert post(network, body(network, a_pdf()), 2**33).status_code == 413


def test_a_full_disk_says_so_and_keeps_nothing(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise GenericError("Generic LocalFileSystem error: No space left on device (os error 28)")

    monkeypatch.setattr(obstore, "put", full)
    answer = post(network, body(network, a_pdf()))
    assert (answer.status_code, answer.get_json()["type"].rpartition("/")[2]) == (507, OutOfSpace.kind)
    assert nothing_remains(network)


def test_the_nightly_sweep_keeps_what_was_sent(network: Network) -> None:
    code = network.sent()
    with network.app.app_context():
        sweep_documents()
    assert network.get("AE002", f"/communications/{code}/documents/1").data == a_pdf()


def test_nothing_that_is_still_to_be_sent_is_old_enough_to_be_swept() -> None:
    assert max(LONGEST_UPLOAD, FILES_KEPT) + timedelta(hours=1) < ORPHAN_AFTER


def test_an_upload_that_drips_for_too_long_is_ended_and_nothing_of_it_is_kept(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel.http.uploads.LONGEST_UPLOAD", timedelta(seconds=-1))
    answer = post(network, body(network, a_pdf()))
    assert answer.status_code == 408
    assert answer.get_json()["type"].endswith("/problems/upload-too-long")
    assert nothing_remains(network)
