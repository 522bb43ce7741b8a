"""The record of a download: that the whole of a document was handed over, and nothing that did not happen."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from builders.interoperability import AE002, HEADER, Network, a_pdf
from flask import Flask
from sqlalchemy import func, select
from walking import free_address
from werkzeug.serving import make_server

from interoperability.communications.actions import sweep_deliveries
from interoperability.communications.models import PartialDelivery
from interoperability.communications.rules import PARTS_KEPT
from kernel.base import clock
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

LARGE = bytes(range(256)) * 4 * 8192  # 8 MiB: more than the buffers of a connection hold


@pytest.fixture
def network(app: Flask) -> Network:
    return Network(app)


def downloads(network: Network, code: str) -> list[int]:
    """The numbers of the documents that count as downloaded."""
    steps = network.get("AE001", f"/communications/{code}").get_json()["steps"]
    return sorted(step["document"] for step in steps if step["step"] == "downloaded")


def pieces(network: Network) -> int:
    with network.app.app_context():
        return session().scalar(select(func.count()).select_from(PartialDelivery)) or 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Range": "bytes=99999-"}, 416),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": "{etag}"}, 304),
        ({"If-None-Match": "{etag}", "Range": "bytes=0-9"}, 304),
        ({"If-Match": '"another"'}, 412),
        ({"If-Match": '"another"', "Range": "bytes=0-9"}, 412),
    ],
)
def test_where_no_byte_is_handed_over_none_is_recorded(network: Network, headers: dict[str, str], status: int) -> None:
    code = network.sent()
    path = f"/communications/{code}/documents/1"
    etag = network.client().head(f"/api/v1{path}", headers={HEADER: "AE002"}).headers["ETag"]
    said = {name: value.format(etag=etag) for name, value in headers.items()}
    answer = network.get("AE002", path, headers=said)
    assert answer.status_code == status
    assert a_pdf() not in answer.data
    assert (downloads(network, code), pieces(network)) == ([], 0)
    assert "communication:downloaded" not in network.receipt(code).decode()


def test_a_part_is_no_download_and_all_parts_together_are(network: Network) -> None:
    code, size = network.sent(), len(a_pdf())
    path = f"/communications/{code}/documents/1"
    for part in (f"{size - 20}-", "0-9", "5-49", "60-"):
        network.get("AE002", path, headers={"Range": f"bytes={part}"})
        assert downloads(network, code) == []
    network.get("AE002", path, headers={"Range": "bytes=50-59"})
    assert downloads(network, code) == [1]
    assert pieces(network) == 0
    with network.app.app_context():
        events = session().scalars(select(AuditEvent).where(AuditEvent.tag.like("%:downloaded"))).all()
    assert [event.actor for event in events] == ["system-of-AE002"]


def test_parts_of_two_documents_or_of_two_addressees_are_not_put_together(network: Network) -> None:
    addressees = [{"agency": "AE002"}, {"agency": "AE003"}]
    code = network.sent(annexes=[("a.txt", a_pdf())], addressees=addressees)
    half = len(a_pdf()) // 2
    for agency, number, part in (("AE002", 1, f"0-{half}"), ("AE003", 1, f"{half}-"), ("AE002", 2, f"{half}-")):
        network.get(agency, f"/communications/{code}/documents/{number}", headers={"Range": f"bytes={part}"})
    assert downloads(network, code) == []


def test_what_the_sender_looks_at_is_no_step(network: Network) -> None:
    code = network.sent()
    network.get("AE001", f"/communications/{code}/documents/1")
    assert (downloads(network, code), pieces(network)) == ([], 0)


@pytest.fixture
def address(network: Network) -> Iterator[str]:
    """The address at which the network's application listens."""
    found = free_address()
    server = make_server("127.0.0.1", urlsplit(found).port or 0, network.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def read_and_hang_up(address: str, path: str, octets: int) -> None:
    """Ask for a document, read so much of it, and go away."""
    where = urlsplit(address)
    with socket.create_connection((str(where.hostname), where.port or 80), timeout=60) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        asked = f"GET /api/v1{path} HTTP/1.1\r\nHost: {where.netloc}\r\n{HEADER}: {AE002.code}\r\n\r\n"
        connection.sendall(asked.encode())
        while octets > 0:
            octets -= len(connection.recv(min(octets, 64 * 1024)))


def test_a_download_that_breaks_off_is_none_until_it_is_gone_on_with(network: Network, address: str) -> None:
    code = network.sent(annexes=[("grande.bin", LARGE)])
    path = f"/communications/{code}/documents/2"
    read_and_hang_up(address, path, 1024 * 1024)
    wait_for(lambda: pieces(network) == 1)
    assert downloads(network, code) == []
    rest = network.get("AE002", path, headers={"Range": "bytes=1024-"})
    assert rest.data == LARGE[1024:]
    assert downloads(network, code) == [2]


def wait_for(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    done = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if condition():
            return
        done.wait(0.1)
    raise AssertionError("it never came")


# ---- what waits ----


def waiting(network: Network, agency: str = "AE002") -> list[str]:
    lines = network.get(agency, "/communications?box=inbox&status=available").get_json()["items"]
    return [line["code"] for line in lines]


def test_what_was_downloaded_and_not_answered_is_there_at_the_next_poll(network: Network) -> None:
    code = network.sent(annexes=[("a.txt", b"anexo")])
    for number in (1, 2):
        network.get("AE002", f"/communications/{code}/documents/{number}")
        assert waiting(network) == [code]
    network.post("AE002", f"/communications/{code}/acknowledgement")
    assert waiting(network) == []


def test_a_copy_waits_until_every_document_was_downloaded(network: Network) -> None:
    addressees = [{"agency": "AE002"}, {"agency": "AE003", "copy": True}]
    code = network.sent(annexes=[("a.txt", b"anexo")], addressees=addressees)
    for number, left in ((2, [code]), (1, [])):
        assert waiting(network, "AE003") == [code]
        network.get("AE003", f"/communications/{code}/documents/{number}")
        assert waiting(network, "AE003") == left
    assert waiting(network, "AE002") == [code]


def test_parts_that_nobody_went_on_with_are_forgotten_after_a_while(network: Network) -> None:
    code = network.sent()
    network.get("AE002", f"/communications/{code}/documents/1", headers={"Range": "bytes=0-9"})
    for later, left in ((PARTS_KEPT - timedelta(hours=1), 1), (PARTS_KEPT + timedelta(hours=1), 0)):
        with clock.shifted(later), network.app.app_context():
            sweep_deliveries()
        assert pieces(network) == left
    network.get("AE002", f"/communications/{code}/documents/1")
    assert downloads(network, code) == [1]
