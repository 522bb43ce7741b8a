"""The supervisor, with stand-ins for what it runs; the journeys run it with the real ones."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.ports import three_free_ports

pytestmark = pytest.mark.slow

COMMAND = """#!{python}
import os, pathlib, signal, sys
with (pathlib.Path(os.environ["CORDILLERA_DATA_DIR"]) / "said").open("a") as file:
    print("cordillera", *sys.argv[1:], file=file)
if sys.argv[1] == "seed" and "SEED_FAILS" in os.environ:
    sys.exit("no seed today")
if sys.argv[1] == "worker":
    signal.pause()
"""
SERVER = """#!{python}
import http.server, os, pathlib, socket, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        if self.path == "/pid":
            self.wfile.write(str(os.getpid()).encode())
address = sys.argv[sys.argv.index("--bind") + 1]
if address.startswith("fd://"):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready, bind_and_activate=False)
    server.socket = socket.socket(fileno=int(address.removeprefix("fd://")))
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(address.split(":")[1])), Ready)
server.serve_forever()
"""
RUN = """
import signal, sys
from portal.local import run
signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
run._program = lambda name: sys.argv[2] + "/" + name
sys.exit(run.run_everything(int(sys.argv[1])))
"""


@pytest.fixture
def port() -> int:
    return three_free_ports()


@pytest.fixture
def installation(tmp_path: Path, port: int) -> Iterator["Running"]:
    running = Running(tmp_path, port)
    yield running
    running.kill()


class Running:
    """`run_everything` in a process of its own, with a data directory of its own and programs that only pretend."""

    def __init__(self, directory: Path, port: int) -> None:
        self.data, self.port, self.programs = directory / "var", port, directory / "bin"
        self.programs.mkdir()
        for name, text in (("cordillera", COMMAND), ("gunicorn", SERVER)):
            (self.programs / name).write_text(text.format(python=sys.executable))
            (self.programs / name).chmod(0o755)
        self.process: subprocess.Popen[str] | None = None
        self.said = ""

    def start(self, *until: str, **environment: str) -> None:
        """Start, and read what it says until one of the words comes."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CORDILLERA_", "MAKE"))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.port), str(self.programs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=inherited | {"CORDILLERA_DATA_DIR": str(self.data)} | environment,
        )
        self.read(*until)

    def read(self, *until: str) -> None:
        assert self.process
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if any(word in line for word in until):
                return

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            content: bytes = answer.read()
            return content

    def end(self, number: signal.Signals) -> int:
        assert self.process
        self.process.send_signal(number)
        self.read("nothing stops the reading but the end")
        return self.process.wait(30)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.end(signal.SIGTERM)


def test_everything_starts_in_order_and_stops_on_a_signal(installation: Running) -> None:
    installation.start("Ctrl-C")
    assert installation.get("/health/ready") == b""
    first, *others = (installation.data / "said").read_text().splitlines()
    assert first == "cordillera db upgrade"
    assert sorted(others) == ["cordillera seed", "cordillera worker"]
    assert installation.end(signal.SIGINT) == 0
    assert "Stopped. The data stays" in installation.said
    assert not (installation.data / "postgres" / "postmaster.pid").exists()


def test_a_port_in_use_is_named(installation: Running, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", port + 1)):
        installation.start("in use by another program")
        assert f"port {port + 1}, for the demonstration site" in installation.said
        assert installation.process
        assert installation.process.wait(10) == 1


def test_a_command_that_fails_shows_its_last_words(installation: Running) -> None:
    installation.start("nothing but the end", SEED_FAILS="1")
    assert "`cordillera seed` failed" in installation.said
    assert "no seed today" in installation.said
    assert installation.process
    assert installation.process.wait(10) == 1


def test_a_server_that_is_killed_comes_back(installation: Running) -> None:
    installation.start("Ctrl-C")
    first = int(installation.get("/pid"))
    os.kill(first, signal.SIGKILL)
    installation.read("web ended (killed by SIGKILL)")
    deadline = time.monotonic() + 15
    while True:
        try:
            assert int(installation.get("/pid")) != first
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_after_kill_minus_nine_the_next_start_takes_over(installation: Running) -> None:
    installation.start("Ctrl-C")
    assert installation.process
    installation.process.kill()
    installation.process.wait()
    installation.start("Ctrl-C")
    assert installation.said.count("Cordillera is running") == 2
