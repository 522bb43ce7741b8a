"""Our changes to gunicorn's worker, under a real gunicorn and real sockets."""

import os
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from builders.odd_server import GET, HALF, Server, body_of, read_answer
from walking import free_address, wait_until_ready

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(free_address(), "", "", tmp_path, dict(os.environ))
    started.serve_oddly()
    wait_until_ready(f"{started.base_url}/ready")
    yield started
    started.stop()


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
