"""Timestamps show when a digest existed: checked here, and by OpenSSL, without any server."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from builders.apps import under_test
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from flask import Flask

from kernel.base import clock
from kernel.base.errors import BadGateway
from kernel.base.settings import Settings
from kernel.database.db import ENGINE, session
from kernel.keys.seal_timestamps import SealTimestamp, timestamp_seals, verify_timestamps
from kernel.keys.timestamps import AUTHORITY, Authority, BrokenTimestamp, timestamp, verify_timestamp
from kernel.recording import sealing
from kernel.recording.sealing import sealed_logs
from kernel.recording.work import Work, action
from portal.app import create_app

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
DIGEST = hashlib.sha256(b"what is dated").digest()
OTHER = hashlib.sha256(b"something else").digest()


@pytest.fixture
def authority(app: Flask) -> Iterator[Authority]:
    with app.app_context():
        found = AUTHORITY()
        assert found is not None
        yield found


def test_a_token_shows_the_time_of_a_digest_and_of_no_other(authority: Authority) -> None:
    before = clock.now()
    token = timestamp(DIGEST)
    shown = verify_timestamp(token, DIGEST, authority.certificates())
    assert before - timedelta(seconds=1) <= shown <= clock.now()
    with pytest.raises(BrokenTimestamp):
        verify_timestamp(token, OTHER, authority.certificates())


def test_a_token_holds_years_after_its_authority_has_gone(authority: Authority) -> None:
    with clock.shifted(-timedelta(days=60)):
        token = timestamp(DIGEST)
    assert (clock.now() - verify_timestamp(token, DIGEST, authority.certificates())).days in (59, 60)


def test_only_an_authority_that_is_trusted_is_believed(authority: Authority, settings: Settings) -> None:
    with pytest.raises(BrokenTimestamp):
        verify_timestamp(timestamp(DIGEST), DIGEST, [])


def test_not_one_altered_octet_of_a_token_passes(authority: Authority) -> None:
    token, certificates = timestamp(DIGEST), authority.certificates()
    for place in range(0, len(token), max(len(token) // 60, 1)):
        altered = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        try:
            shown = verify_timestamp(altered, DIGEST, certificates)
        except BrokenTimestamp:
            continue
        # What neither signature covers, such as how an algorithm is named beside the signature, changes no finding.
        assert shown == verify_timestamp(token, DIGEST, certificates)


def test_openssl_finds_the_same(authority: Authority, tmp_path: Path) -> None:
    token, trusted = tmp_path / "token", tmp_path / "trusted.pem"
    token.write_bytes(timestamp(DIGEST))
    [certificate] = authority.certificates()
    trusted.write_bytes(load_der_x509_certificate(certificate).public_bytes(Encoding.PEM))

    def verified(digest: bytes) -> str:
        command = ["openssl", "ts", "-verify", "-token_in", "-in", str(token), "-digest", digest.hex()]
        done = subprocess.run([*command, "-CAfile", str(trusted)], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "Verification: OK" in verified(DIGEST)
    assert "Verification: FAILED" in verified(OTHER)


def test_an_action_waits_for_no_authority(app: Flask) -> None:
    @action
    def dates(work: Work) -> None:
        timestamp(DIGEST)

    with app.app_context(), pytest.raises(RuntimeError):
        dates()


class Relay(BaseHTTPRequestHandler):
    """An authority by HTTP: it answers as ours does, or with what it is told to."""

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/timestamp-query"
        server: RelayServer = self.server  # type: ignore[assignment]
        answer = server.instead or server.answer(request)
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class RelayServer(HTTPServer):
    def __init__(self, app: Flask, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.app, self.authority, self.instead = app, authority, b""

    def answer(self, request: bytes) -> bytes:
        with self.app.app_context():
            return self.authority.answer(request)


@pytest.fixture
def relay(app: Flask, authority: Authority) -> Iterator[RelayServer]:
    server = RelayServer(app, authority)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def remote(settings: Settings, relay: RelayServer, tmp_path: Path) -> Iterator[Flask]:
    """An application whose authority is another one's."""
    trusted = tmp_path / "authority.pem"
    [certificate] = relay.authority.certificates()
    trusted.write_bytes(load_der_x509_certificate(certificate).public_bytes(Encoding.PEM))
    port = relay.server_address[1]
    app = under_test(
        create_app(
            replace(
                settings,
                timestamp_url=f"http://localhost:{port}",
                timestamp_certificates=str(trusted),
                outbound_allowed=frozenset({f"localhost:{port}"}),
            )
        )
    )
    yield app
    ENGINE.of(app).dispose()


def test_another_authority_is_asked_by_http(remote: Flask, relay: RelayServer) -> None:
    with remote.app_context():
        token = timestamp(DIGEST)
        assert verify_timestamp(token, DIGEST, relay.authority.certificates()) <= clock.now()


@pytest.mark.parametrize("kind", ["nothing", "text", "another's", "of an earlier call"])
def test_an_authority_that_answers_something_else_has_not_answered(
    remote: Flask, relay: RelayServer, kind: str
) -> None:
    from pyhanko.sign.timestamps.api import TimeStamper

    dated = DIGEST if kind == "of an earlier call" else OTHER
    _nonce, request = TimeStamper().request_cms(dated, "sha256")  # type: ignore[no-untyped-call]  # pyHanko has no types
    relay.instead = {"nothing": b"0", "text": b"<html>"}.get(kind) or relay.answer(request.dump())
    with remote.app_context(), pytest.raises(BadGateway):
        timestamp(DIGEST)


@action
def note(work: Work) -> None:
    work.record("test:noted", "test:1")


def seal(app: Flask) -> None:
    note()
    while any(unsealed.records for _, unsealed in sealing.unsealed(session())):
        session().rollback()
        sealing.seal_all(app)


def test_each_log_gets_a_token_over_its_newest_seal_once(app: Flask) -> None:
    with app.app_context():
        seal(app)
        timestamp_seals()
        # The first token made the authority's key, of which the audit tells.
        seal(app)
        timestamp_seals()
        timestamp_seals()
        for each in sealed_logs(app):
            verdict = verify_timestamps(session(), each)
            assert verdict.broken is None
            newest = each.seal_of(session(), None)
            assert (newest is None) == (verdict.timestamps == 0)
        [audit] = [each for each in sealed_logs(app) if each.name == "audit"]
        assert verify_timestamps(session(), audit).timestamps == 2


def test_two_at_once_date_a_seal_once(app: Flask) -> None:
    def date() -> None:
        with app.app_context():
            timestamp_seals()

    with app.app_context():
        timestamp(DIGEST)
        seal(app)
    threads = [threading.Thread(target=date) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        assert [verify_timestamps(session(), each).timestamps for each in sealed_logs(app)] == [1] * len(
            sealed_logs(app)
        )


def test_a_seal_that_was_written_anew_does_not_fit_its_timestamp(app: Flask) -> None:
    with app.app_context():
        seal(app)
        timestamp_seals()
        row = session().query(SealTimestamp).filter_by(log="audit").one()
        row.digest = OTHER
        session().flush()
        [audit] = [each for each in sealed_logs(app) if each.name == "audit"]
        verdict = verify_timestamps(session(), audit)
        assert verdict.broken == f"seal {row.seal}: it is not the seal that was dated"


def test_no_request_pays_for_what_only_jobs_need() -> None:
    program = "import sys; import portal.app; print([name for name in ('pyhanko', 'aiohttp') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PLATFORM.parent
    )
    assert done.stdout.strip() == "[]"
