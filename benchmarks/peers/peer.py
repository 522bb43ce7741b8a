"""The shape of every peer: a name, an installation, a server that can be started, and the same persons and client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.database import Database
from benchmarks.processes import DidNotStart, wait_until_answering

SERVERS = Path(__file__).with_name("servers")
CLIENT_ID, CLIENT_SECRET = "bench", "bench-secret"
REDIRECT_URI = "http://127.0.0.1:9/callback"
PASSWORD = "bench-password"
PERSONS = 200
USER_NAMES = tuple(f"bench{number}" for number in range(PERSONS))
ARGON2: dict[str, Any] = {"time_cost": 2, "memory_cost": 19_456, "parallelism": 1}
"""OWASP's recommendation, to which every peer is set that can be."""


@dataclass(frozen=True)
class Place:
    """The place of a peer: its folder, the port it listens on, its database, and RSA and EC keys to sign with."""

    folder: Path
    port: int
    database: Database
    keys: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Credentials:
    """A client."""

    client_id: str = CLIENT_ID
    secret: str = CLIENT_SECRET


@dataclass(frozen=True)
class Running:
    """A peer that answers. `endpoints` is its discovery document, with what that leaves out added."""

    processes: Sequence[subprocess.Popen[bytes]]
    endpoints: Mapping[str, str] = field(default_factory=dict)
    application: Credentials = Credentials()
    system: Credentials = Credentials()
    users: Sequence[str] = USER_NAMES
    scope: str = "openid profile email"
    system_form: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the name of a client credentials workload, the form it sends; a workload that is left out is not run."""
    only: str = ""
    """The one workload that is run; empty for all."""


class Peer(Protocol):
    """One of those compared."""

    name: str
    about: str

    def install(self, folder: Path) -> None:
        """Install what is missing. Raises NotInstalled."""

    def start(self, place: Place) -> Running:
        """Seed and start. Raises DidNotStart."""


class NotInstalled(Exception):
    """The peer cannot be installed here; the message says why."""


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Run a step to its end and return what it printed. Raises NotInstalled with the end of what it said."""
    try:
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, env=os.environ | environment, capture_output=True, text=True
        )
    except OSError as error:
        raise NotInstalled(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise NotInstalled(f"{' '.join(map(str, command[:4]))} …: {(done.stdout + done.stderr)[-1200:]}")
    return done.stdout


def install_python_packages(folder: Path, *packages: str) -> None:
    """A virtual environment with these packages in the folder, unless it has them already."""
    wanted = folder / "installed.txt"
    if wanted.exists() and wanted.read_text().split() == list(packages):
        return
    run([sys.executable, "-m", "venv", folder / "venv"], folder)
    run([folder / "venv/bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], folder)
    wanted.write_text("\n".join(packages))


def serve(place: Place, command: Sequence[str | Path], answers_at: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a server whose output goes to its log, and wait for its first answer. Raises DidNotStart."""
    log = place.folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=place.folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until_answering(answers_at, process, log)
    except DidNotStart:
        process.kill()
        process.wait()
        raise
    return process


def gunicorn(venv: Path, place: Place, application: str, *options: str) -> list[str | Path]:
    return [
        *(venv / "bin/gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{place.port}"),
        *("--log-level", "error", "--no-control-socket", *options, application),
    ]


def discovered(url: str) -> dict[str, str]:
    """The provider's discovery document."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return {name: value for name, value in found.items() if isinstance(value, str)}
