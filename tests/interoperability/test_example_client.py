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
from builders.interoperability import AE001, AE002, a_pdf
from flask import Flask
from walking import free_address
from werkzeug.serving import make_server

from identity.agencies.actions import create_agency
from identity.systems.actions import create_machine_client
from interoperability.communications import rules
from interoperability.ports import SCOPES
from kernel.access import Principal, act_as
from kernel.sealing import seal_until
from kernel.settings import Settings
from portal.app import create_app

EXAMPLE = Path(__file__).parents[2] / "docs/examples/communications.py"


@pytest.fixture
def served(settings: Settings) -> Iterator[Flask]:
    """The application on a port, with its sealer."""
    address, stop = free_address(), threading.Event()
    app = create_app(replace(settings, base_url=address))
    server = make_server("127.0.0.1", int(address.rpartition(":")[2]), app, threaded=True)
    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=seal_until, args=(app, stop))]
    for thread in threads:
        thread.start()
    yield app
    stop.set()
    server.shutdown()
    for thread in threads:
        thread.join()
    app.extensions["cordillera.engine"].dispose()


def run(app: Flask, folder: Path, agency: str, *arguments: str) -> str:
    with app.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        new = create_machine_client(f"Sistema {agency}", agency, list(SCOPES))
    environment = {
        "CORDILLERA_URL": app.extensions["cordillera.settings"].base_url,
        "CORDILLERA_CLIENT_ID": new.client.client_id,
        "CORDILLERA_CLIENT_SECRET": str(new.secret),
        "CORDILLERA_AGENCY": agency,
    }
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *arguments],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_example_registers_sends_receives_and_gets_a_receipt(served: Flask, tmp_path: Path) -> None:
    with served.app_context():
        act_as(Principal(kind="system", id="test", name="The test"))
        for agency in (AE001, AE002):
            create_agency(code=agency.code, name=agency.name, is_authority=False)
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
