"""The client in the documentation does what it says, against a server that listens."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders.interoperability import AE001, AE002, SCOPES, a_pdf
from flask import Flask
from walking import free_address
from werkzeug.serving import make_server

from identity.agencies.actions import create_agency
from identity.clients.machine_clients.actions import create_machine_client
from interoperability.receipts import rules
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from kernel.jobs.access import Principal, act_as
from kernel.jobs.loops import running
from kernel.recording.sealing import sealers
from portal.app import create_app

EXAMPLE = Path(__file__).parents[2] / "docs/examples/communications.py"


@pytest.fixture
def served(settings: Settings) -> Iterator[Flask]:
    """The application on a port, with its sealer."""
    address = free_address()
    app = create_app(replace(settings, base_url=address))
    server = make_server("127.0.0.1", int(address.rpartition(":")[2]), app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    with running(sealers(app)):
        yield app
    server.shutdown()
    serving.join()
    ENGINE.of(app).dispose()


def run(app: Flask, folder: Path, agency: str, *arguments: str) -> str:
    done = attempt(app, folder, agency, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def attempt(app: Flask, folder: Path, agency: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        new = create_machine_client(f"Sistema {agency}", agency, list(SCOPES))
    environment = {
        "CORDILLERA_URL": SETTINGS.of(app).base_url,
        "CORDILLERA_CLIENT_ID": new.client.client_id,
        "CORDILLERA_CLIENT_SECRET": str(new.secret),
        "CORDILLERA_AGENCY": agency,
    }
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def two_agencies(served: Flask) -> Flask:
    with served.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        for agency in (AE001, AE002):
            create_agency(code=agency.code, name=agency.name, is_authority=False)
    return served


def test_the_example_registers_sends_receives_and_gets_a_receipt(two_agencies: Flask, tmp_path: Path) -> None:
    served = two_agencies
    (tmp_path / "oficio.pdf").write_bytes(a_pdf())
    (tmp_path / "nómina.csv").write_bytes(b"a;b\n" * 50_000)
    assert len(run(served, tmp_path, "AE001", "register")) == 43
    code = run(served, tmp_path, "AE001", "send", "AE002", "oficio.pdf", "Solicita antecedentes", "nómina.csv")
    assert run(served, tmp_path, "AE002", "receive", ".") == code
    assert (tmp_path / f"{code}-1-oficio.pdf").read_bytes() == a_pdf()
    assert (tmp_path / f"{code}-2-nómina.csv").read_bytes() == b"a;b\n" * 50_000
    checks = rules.verify((tmp_path / run(served, tmp_path, "AE001", "receipt", code)).read_bytes())
    assert all(check.ok for check in checks), checks
    assert "AE002: acknowledged" in checks[4].why


def test_the_example_receives_again_what_a_crash_left_unanswered(two_agencies: Flask, tmp_path: Path) -> None:
    (tmp_path / "oficio.pdf").write_bytes(a_pdf())
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    run(two_agencies, tmp_path, "AE001", "register")
    code = run(two_agencies, tmp_path, "AE001", "send", "AE002", "oficio.pdf", "Solicita antecedentes")
    in_the_way = inbox / f"{code}-1-oficio.pdf"
    in_the_way.mkdir()
    assert attempt(two_agencies, tmp_path, "AE002", "receive", "inbox").returncode != 0
    in_the_way.rmdir()
    assert run(two_agencies, tmp_path, "AE002", "receive", "inbox") == code
    assert in_the_way.read_bytes() == a_pdf()
    assert run(two_agencies, tmp_path, "AE002", "receive", "inbox") == ""


def test_the_example_survives_every_name_that_the_platform_takes(two_agencies: Flask, tmp_path: Path) -> None:
    names = ["😀" * 62 + ".txt", "ñ" * 120 + ".tar.gz", "a" * 200, ".oculto", "a." + "b" * 198, 'a:b?"c|d*<e>.txt']
    (tmp_path / "oficio.pdf").write_bytes(a_pdf())
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    run(two_agencies, tmp_path, "AE001", "register")
    code = run(two_agencies, tmp_path, "AE001", "send", "AE002", "oficio.pdf", "Solicita antecedentes", *names)
    assert run(two_agencies, tmp_path, "AE002", "receive", "inbox") == code
    received = {path.name.removeprefix(f"{code}-").partition("-")[0]: path for path in inbox.iterdir()}
    assert [received[str(number)].read_bytes() for number in range(2, 8)] == [name.encode() for name in names]
    assert received["2"].name.endswith("😀.txt")
