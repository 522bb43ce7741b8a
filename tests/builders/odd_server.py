"""gunicorn with our worker and an application that answers oddly, and clients that do as they like."""

import os
import re
import signal
import socket
import subprocess
import time
from contextlib import suppress

from walking import ROOT, Installation, program

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70_000


class Server(Installation):
    """One worker of our own kind, or several masters one after another."""

    def command(self, *options: str, handed_down: int | None = None, application: str = "odd_answers") -> list[str]:
        """A master at the address, or on the listening socket that it is handed."""
        address = f"127.0.0.1:{self.port}" if handed_down is None else f"fd://{handed_down}"
        usual = ("--workers", "1", "--threads", "4", "--graceful-timeout", "1", "--no-control-socket")
        config = ("-c", str(ROOT / "platform/portal/gunicorn_config.py"), "--pythonpath", str(ROOT / "tests"))
        served = f"builders.{application}:application"
        return [program("gunicorn"), *usual, *config, "--chdir", str(ROOT), "--bind", address, *options, served]

    def serve_oddly(self, *options: str, handed_down: int | None = None, application: str = "odd_answers") -> None:
        with (self.data_dir / "web.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    self.command(*options, handed_down=handed_down, application=application),
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=() if handed_down is None else [handed_down],
                    start_new_session=True,
                )
            )

    def kill_master(self) -> None:
        """Kill it as nobody can defend themselves against; its workers live on."""
        master = self.processes[-1]
        master.kill()
        master.wait()

    def kill_orphans(self) -> None:
        for master in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(master.pid, signal.SIGKILL)

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return (self.data_dir / "web.log").read_text()

    def wait_for_log(self, words: str) -> None:
        until = time.monotonic() + 30
        while words not in self.log:
            assert time.monotonic() < until, f"{words!r} is not in {self.log}"
            time.sleep(0.05)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def ask(self, request: bytes) -> bytes:
        """All that comes on a connection of its own until the server closes it."""
        with self.connect() as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def pid(self) -> bytes:
        return body_of(self.ask(GET % b"/pid"))


def read_all(connection: socket.socket) -> bytes:
    whole = b""
    while piece := connection.recv(65_536):
        whole += piece
    return whole


def read_answer(connection: socket.socket) -> bytes:
    """One answer of a connection that stays open, by its Content-Length."""
    whole = b""
    while b"\r\n\r\n" not in whole:
        whole += connection.recv(1)
    length = re.search(rb"Content-Length: (\d+)", whole)
    assert length, whole
    body = b""
    while len(body) < int(length[1]):
        body += connection.recv(int(length[1]) - len(body))
    return body


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]
