"""Clients that take their time, under a real gunicorn of four threads: they keep nobody else waiting."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from builders.odd_server import GET, HALF, Server, read_all, read_answer
from walking import free_address, wait_until_ready

from portal.gunicorn_clients import WHOLE_BYTES, has_arrived

pytestmark = pytest.mark.slow

HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
LARGE = GET % b"/large"
MANY = 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(free_address(), "", "", tmp_path, dict(os.environ))
    started.serve_oddly()
    wait_until_ready(f"{started.base_url}/ready")
    yield started
    started.stop()


def send_for_ever(connection: socket.socket, data: bytes, every: float) -> None:
    while True:
        connection.sendall(data)
        time.sleep(every)


@pytest.mark.parametrize(
    "request_so_far",
    [b"", b"G", b"GET / HTTP/1.1\r\nHost: loc", HEAD + b"Content-Length: 10\r\n\r\n12345", HALF, CHUNKED, LARGE],
    ids=["nothing", "a letter", "half a head", "half a small body", "half a large body", "chunks", "no reader"],
)
def test_many_clients_that_stop_halfway_keep_nobody_waiting(server: Server, request_so_far: bytes) -> None:
    with ExitStack() as open_ones:
        for _ in range(MANY):
            slow = open_ones.enter_context(server.connect())
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(request_so_far)
        answers = {server.pid() for _ in range(10)}
        assert len(answers) == 1
        assert answers != {b""}


def test_a_request_that_comes_byte_by_byte_is_answered(server: Server) -> None:
    with server.connect() as connection:
        for byte in HEAD + b"Content-Length: 3\r\n\r\nabc" + GET % b"/pid":
            connection.sendall(bytes([byte]))
        assert read_answer(connection) == b"3"
        assert read_answer(connection) == server.pid()


@pytest.mark.parametrize("size", [0, 1, WHOLE_BYTES - 1, WHOLE_BYTES, WHOLE_BYTES + 1, 5_000_000])
def test_a_body_of_any_size_arrives_whole(server: Server, size: int) -> None:
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            assert read_answer(connection) == str(size).encode()


def test_who_waits_to_be_told_to_go_on_is_told(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"abc")
        assert read_answer(connection) == b"3"


def test_a_body_that_drips_is_given_up(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HALF)
        with pytest.raises(OSError, match=r"reset|pipe"):
            send_for_ever(connection, b"x", every=0.1)
    assert server.pid()


def test_a_reader_that_stops_is_given_up(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(LARGE)
        started = time.monotonic()
        while len(connection.recv(1, socket.MSG_PEEK)) and time.monotonic() - started < 15:
            time.sleep(0.1)
        assert len(read_all(connection)) < 60_000_000


def test_a_client_that_is_answered_and_stays_keeps_nobody_waiting(server: Server) -> None:
    with ExitStack() as open_ones:
        for _ in range(MANY):
            done = open_ones.enter_context(server.connect())
            done.sendall(b"GET /pid HTTP/1.0\r\n\r\n")
            read_all(done)
        started = time.monotonic()
        assert server.pid()
        assert time.monotonic() - started < MANY  # two seconds for each of them, were the main thread to wait


def test_a_client_that_still_sends_gets_the_answer_that_came_before_the_end(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000
        )
        assert read_answer(connection) == b"0"
        with pytest.raises(OSError, match=r"reset|pipe"):
            send_for_ever(connection, b"x" * 10_000, every=0)


@pytest.mark.parametrize(
    ("request_so_far", "arrived"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\nHost: x\n\n", True),  # for the parser to refuse
        (b"x" * 20_000, True),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\n1234", False),
        (b"POST / HTTP/1.1\r\nContent-Length:5\r\n\r\n12345", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nX: 1\r\n\r\nContent-Length: 5\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + b"x" * WHOLE_BYTES, True),
        (b"POST / HTTP/1.1\r\nContent-Length: 900000\r\n\r\n" + b"x" * (WHOLE_BYTES - 1), False),
    ],
)
def test_a_request_gets_a_thread_once_it_can_be_read_without_waiting(request_so_far: bytes, arrived: bool) -> None:
    assert has_arrived(request_so_far) is arrived
