"""An installation of its own: `cordillera run` on a port and in a folder that nobody else uses, and its processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from portal.local.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
CORDILLERA = Path(sys.executable).with_name("cordillera")
STARTS_SECONDS, STOPS_SECONDS = 240, 90
SEALS_SECONDS = 2
END_SEALER = """
    SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
"""
OWN_SETTINGS = ("CORDILLERA_", "MAKE", "PYTEST_")


class Installation:
    """`make run` without `make`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.data, self.port = folder / "var", port
        self.base_url = f"http://localhost:{port}"
        self.postgres = EmbeddedPostgres(self.data / "postgres")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
        self.environment = {**kept, "CORDILLERA_DATA_DIR": str(self.data)}
        self.log = folder / "run.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises RuntimeError where it does not come."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            command = [str(CORDILLERA), "run", "--port", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=output, stderr=output)
        self.wait_until_ready(STARTS_SECONDS)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOPS_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_until_ready(self, seconds: float) -> float:
        """The seconds that it took. Raises RuntimeError where it does not come, or `run` itself has ended."""
        started = time.monotonic()
        while not self.is_ready():
            waited = time.monotonic() - started
            if waited > seconds or (self.process and self.process.poll() is not None):
                said = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the installation is not there after {waited:.0f} s: {said}")
            time.sleep(0.1)
        return time.monotonic() - started

    def cli(self, *arguments: str) -> str:
        """The output of a command of ours. Raises CalledProcessError."""
        done = subprocess.run(
            [CORDILLERA, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"cordillera {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def made(self, *arguments: str) -> dict[str, Any]:
        """The thing that a command made, out of its last line of JSON."""
        found: dict[str, Any] = json.loads(self.cli(*arguments, "--json").strip().splitlines()[-1])
        return found

    def processes(self) -> dict[str, list[int]]:
        """The processes that can be killed now, by their kind."""
        found: dict[str, list[int]] = {}
        below = _children()
        for child in below.get(self.process.pid if self.process else 0, []):
            command = _command(child)
            if "wsgi:app" in command:
                found["web master"] = [child]
                found["web worker"] = below.get(child, [])
            elif command[-1:] == ["worker"]:
                found["job worker"] = [child]
        known = [*found.get("web master", []), *found.get("web worker", [])]
        found["orphan"] = [pid for pid in self._web_processes() if pid not in known]
        postmaster = self.postgres.pid()
        if postmaster:
            found["postmaster"] = [postmaster]
            found["backend"] = [pid for pid in below.get(postmaster, []) if "cordillera" in " ".join(_command(pid))]
        return {kind: pids for kind, pids in found.items() if pids}

    def _web_processes(self) -> list[int]:
        """All masters and workers of gunicorn that serve the portal here, also those that have lost their master."""
        log = str(self.data / "log" / "web-access.log")
        return [pid for pids in _children().values() for pid in pids if log in _command(pid)]

    def end_sealer(self) -> bool:
        """End the database session of whoever seals a log, in the middle of it; whether somebody was met at it."""
        url = make_url(self.postgres.url()).set(drivername="postgresql").render_as_string(hide_password=False)
        until = time.monotonic() + SEALS_SECONDS
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                while time.monotonic() < until:
                    if connection.execute(END_SEALER).fetchall():
                        return True
        except psycopg.OperationalError:
            pass
        return False


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(entry.name))
    return found


def _command(pid: int) -> list[str]:
    try:
        return [word for word in Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0") if word]
    except OSError:
        return []


@contextmanager
def running(folder: Path, port: int) -> Iterator[Installation]:
    """An installation that ends with the block."""
    found = Installation(folder, port)
    try:
        found.start()
        yield found
    finally:
        found.stop()
