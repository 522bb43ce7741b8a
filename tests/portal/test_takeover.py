"""gunicorn's master is killed, under load and with connections kept open: the next one takes over."""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from builders.odd_server import GET, HALF, Server, read_answer
from walking import free_address, wait_until_ready

LIVED_SECONDS = 30


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(free_address(), "", "", tmp_path, dict(os.environ))
    yield started
    started.stop()
    started.kill_orphans()


def eventually_free(address: str) -> None:
    """Return as soon as a next master could listen here."""
    until = time.monotonic() + LIVED_SECONDS
    while True:
        try:
            socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))).close()
            return
        except OSError:
            assert time.monotonic() < until, "the orphans hold the port"
            time.sleep(0.02)


def test_orphans_leave_the_address_to_the_next_master_whoever_is_still_connected(server: Server) -> None:
    server.serve_oddly("--graceful-timeout", "60")
    wait_until_ready(f"{server.base_url}/ready")
    with server.connect() as kept, server.connect() as halfway:
        kept.sendall(GET % b"/pid")
        read_answer(kept)
        halfway.sendall(HALF)
        server.kill_master()
        eventually_free(server.base_url)
        halfway.setblocking(False)
        with pytest.raises(BlockingIOError):  # it is still being read, not closed
            halfway.recv(1)
    server.serve_oddly()
    wait_until_ready(f"{server.base_url}/ready")


def test_nobody_goes_without_an_answer_while_the_next_master_starts(server: Server) -> None:
    with socket.create_server(("127.0.0.1", int(server.base_url.rpartition(":")[2])), backlog=100) as listening:
        server.serve_oddly(handed_down=listening.fileno())
        wait_until_ready(f"{server.base_url}/ready")
        first, answers, stop = server.pid(), list[bytes](), threading.Event()

        def ask_again_and_again() -> None:
            while not stop.is_set():
                answers.append(server.pid())

        load = [threading.Thread(target=ask_again_and_again) for _ in range(4)]
        for thread in load:
            thread.start()
        with closing(server.connect()) as kept:
            kept.sendall(GET % b"/pid")
            assert read_answer(kept) == first
            server.kill_master()
            server.serve_oddly(handed_down=listening.fileno())
            kept.sendall(GET % b"/pid")
            assert read_answer(kept) == first
            until = time.monotonic() + LIVED_SECONDS
            while set(answers[-20:]) & {first, b""}:
                assert time.monotonic() < until, "the next master never took over alone"
                time.sleep(0.05)
        stop.set()
        for thread in load:
            thread.join()
        assert all(re.fullmatch(rb"\d+", answer) for answer in answers)
        assert len(set(answers)) == 2
