"""Our changes to gunicorn's worker, under a real gunicorn and real sockets."""

import os
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from walking import ROOT, House, free_address, wait_until_ready

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70_000


class Server(House):
    """One gunicorn worker of our own kind, with an application that answers oddly."""

    @property
    def log(self) -> str:
        return (self.data_dir / "web.log").read_text()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", int(self.base_url.rpartition(":")[2])), timeout=30)

    def ask(self, request: bytes) -> bytes:
        """All that comes on a connection of its own until the server closes it."""
        with self.connect() as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def wait_for_log(self, words: str) -> None:
        until = time.monotonic() + 30
        while words not in self.log:
            assert time.monotonic() < until, f"{words!r} is not in {self.log}"
            time.sleep(0.05)

    def pid(self) -> bytes:
        return body_of(self.ask(GET % b"/pid"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    address = free_address()
    started = Server(address, "", "", tmp_path, dict(os.environ))
    options = ("--workers", "1", "--threads", "4", "--graceful-timeout", "1", "--pythonpath", str(ROOT / "tests"))
    config = str(ROOT / "platform/portal/gunicorn_config.py")
    started.serve("web", address, "builders.odd_answers:application", "-c", config, *options)
    wait_until_ready(f"{address}/ready")
    yield started
    started.stop()


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


def test_answers_that_break_off_leave_the_worker_as_it_was(server: Server) -> None:
    before = server.pid()
    for _ in range(20):
        assert server.ask(GET % b"/cut").endswith(b"half")
    assert [server.pid() for _ in range(6)] == [before] * 6
    assert "exited with code" not in server.log


def test_bodies_that_break_off_leave_the_worker_as_it_was(server: Server) -> None:
    before = server.pid()
    for _ in range(20):
        server.ask(HALF)
    assert [server.pid() for _ in range(6)] == [before] * 6


def test_clients_that_hang_up_leave_the_worker_as_it_was(server: Server) -> None:
    before = server.pid()
    for request in (GET % b"/large", GET % b"/slow", HALF, b"GET / HT", b"") * 4:
        connection = server.connect()
        connection.sendall(request)
        # With a linger of nothing the end is a reset, not a polite close.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    assert [server.pid() for _ in range(6)] == [before] * 6
    assert "exited with code" not in server.log


def test_a_kept_connection_answers_one_request_after_another(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(20):
            connection.sendall(GET % b"/pid")
            assert read_answer(connection) == server.pid()


def test_requests_sent_together_are_answered_in_order(server: Server) -> None:
    post = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
    with server.connect() as connection:
        connection.sendall(b"".join(post % (size, b"x" * size) for size in range(1, 21)))
        assert [read_answer(connection) for _ in range(20)] == [str(size).encode() for size in range(1, 21)]


def test_who_has_closed_its_half_is_answered_all_the_same(server: Server) -> None:
    assert body_of(server.ask(GET % b"/slow")) == b"0"


def test_a_worker_that_has_no_file_left_for_a_connection_keeps_those_it_has(server: Server) -> None:
    before = int(server.pid())
    limits = resource.prlimit(before, resource.RLIMIT_NOFILE)
    with ExitStack() as open_ones:
        kept = open_ones.enter_context(server.connect())
        kept.sendall(GET % b"/pid")
        assert int(read_answer(kept)) == before
        resource.prlimit(before, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{before}/fd")) + 2, limits[1]))
        for _ in range(10):
            open_ones.enter_context(server.connect())
        server.wait_for_log("could not be accepted")
        kept.sendall(GET % b"/pid")
        assert int(read_answer(kept)) == before
    resource.prlimit(before, resource.RLIMIT_NOFILE, limits)
    assert int(server.pid()) == before


def test_an_answer_says_when_it_was_made(server: Server) -> None:
    head = server.ask(GET % b"/pid").decode()
    made = parsedate_to_datetime(re.findall(r"Date: (.*)\r\n", head)[0])
    assert abs((made - datetime.now(UTC)).total_seconds()) < 10
