"""gunicorn's master is killed, under load and with connections kept open: the next one takes over."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from builders.odd_server import GET, HALF, Server, body_of, read_all, read_answer
from walking import free_address, wait_until_ready

from portal.local.children import Child, stop

pytestmark = pytest.mark.slow

LIVED_SECONDS = 60
PATIENT = """
from gunicorn.workers import gthread
from portal import gunicorn_worker
from portal.gunicorn_config import *
gthread.STOP_KEEPALIVE_LINGER = 60
gunicorn_worker.ORPHANED_SECONDS = {seconds}
"""
KEEPER = """
import json, os, sys, time
from pathlib import Path
from portal.local.children import Child
child = Child("web", json.loads(sys.argv[1]), Path(sys.argv[2]), dict(os.environ), handed_down=[int(sys.argv[3])])
child.start()
print(child.process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(free_address(), "", "", tmp_path, dict(os.environ))
    yield started
    started.stop()
    started.kill_orphans()


@pytest.fixture
def listening(server: Server) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", server.port), backlog=100) as handed_down:
        yield handed_down


def eventually(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + LIVED_SECONDS
    while not condition():
        assert time.monotonic() < until, otherwise
        time.sleep(0.02)


def is_free(server: Server) -> bool:
    """Whether a next master could listen here."""
    try:
        socket.create_server(("127.0.0.1", server.port)).close()
    except OSError:
        return False
    return True


def orphaned(server: Server, seconds: float) -> tuple[str, str]:
    """The options of a server whose orphans answer for so long."""
    config = server.data_dir / "gunicorn_config.py"
    config.write_text(PATIENT.format(seconds=seconds))
    return "-c", str(config)


@contextmanager
def kept_alive(server: Server, listening: socket.socket, **environment: str) -> Iterator[Child]:
    """A server as `cordillera run` keeps it, whose orphans would answer for an hour."""
    number = listening.fileno()
    options = orphaned(server, seconds=3600)
    command = server.command(*options, handed_down=number, application="gated_answers")
    log = server.data_dir / "web.log"
    child = Child("web", command, log, server.environment | environment, handed_down=[number])
    child.start()
    try:
        yield child
    finally:
        stop([child])


def kill_first(child: Child) -> None:
    assert child.process
    child.process.kill()
    child.process.wait()
    child.started_at = 0  # it starts again at once, as if it had lived for long


def watch_until(child: Child, condition: Callable[[], bool], otherwise: str) -> None:
    def watched() -> bool:
        child.watch(print)
        return condition()

    eventually(watched, otherwise)


@contextmanager
def asking_again_and_again(server: Server) -> Iterator[list[bytes]]:
    """The processes that answered new connections made all the time."""
    answers, ended = list[bytes](), threading.Event()

    def ask() -> None:
        while not ended.is_set():
            answers.append(server.pid())

    load = [threading.Thread(target=ask) for _ in range(4)]
    for thread in load:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in load:
            thread.join()
    assert all(re.fullmatch(rb"\d+", answer) for answer in answers)


def test_orphans_answer_until_a_worker_of_the_next_master_serves_and_then_leave(
    server: Server, listening: socket.socket, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    with kept_alive(server, listening, GATE=str(gate)) as child:
        wait_until_ready(f"{server.base_url}/ready")
        first = server.pid()
        with asking_again_and_again(server) as answers, closing(server.connect()) as kept:
            gate.unlink()
            kill_first(child)
            watch_until(child, gate.with_suffix(".waiting").exists, "no next master came")
            loading = len(answers)
            eventually(lambda: len(answers) > loading + 20, "nobody answers while the next worker loads")
            kept.sendall(GET % b"/pid")
            assert read_answer(kept) == first
            assert set(answers) == {first}
            gate.touch()
            watch_until(child, lambda: len(child.generations) == 1, "the orphans were not relieved")
            assert server.pid() != first
        assert len(set(answers)) == 2


def test_every_earlier_master_s_orphans_are_relieved_by_the_first_that_serves(
    server: Server, listening: socket.socket, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    with kept_alive(server, listening, GATE=str(gate)) as child:
        wait_until_ready(f"{server.base_url}/ready")
        first = server.pid()
        gate.unlink()
        for _ in range(2):
            gate.with_suffix(".waiting").unlink(missing_ok=True)
            kill_first(child)
            watch_until(child, gate.with_suffix(".waiting").exists, "no next master came")
        assert len(child.generations) == 3
        assert server.pid() == first
        gate.touch()
        watch_until(child, lambda: len(child.generations) == 1, "the orphans were not relieved")
        assert server.pid() != first


def test_orphans_leave_when_nobody_is_left_to_start_a_next_master(server: Server, listening: socket.socket) -> None:
    number, log = listening.fileno(), server.data_dir / "web.log"
    command = json.dumps(server.command(*orphaned(server, seconds=3600), handed_down=number))
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, command, str(log), str(number)], stdout=subprocess.PIPE, pass_fds=[number]
    ) as keeper:
        assert keeper.stdout
        master = int(keeper.stdout.readline())
        wait_until_ready(f"{server.base_url}/ready")
        os.kill(master, signal.SIGKILL)
        assert server.pid()
        keeper.kill()
    listening.close()
    eventually(lambda: is_free(server), "the orphans hold the port")


def test_orphans_leave_after_a_while_where_no_next_master_comes(server: Server, listening: socket.socket) -> None:
    server.serve_oddly("--graceful-timeout", "60", *orphaned(server, seconds=0.1), handed_down=listening.fileno())
    wait_until_ready(f"{server.base_url}/ready")
    with server.connect() as halfway:
        halfway.sendall(HALF)
        server.kill_master()
        listening.close()
        eventually(lambda: is_free(server), "the orphans hold the port")
        halfway.sendall(b"x" * 30_000)
        assert body_of(read_all(halfway)) == b"100000"


def test_orphans_leave_the_address_to_the_next_master_whoever_is_still_connected(server: Server) -> None:
    server.serve_oddly("--graceful-timeout", "60")
    wait_until_ready(f"{server.base_url}/ready")
    with server.connect() as kept, server.connect() as halfway:
        kept.sendall(GET % b"/pid")
        read_answer(kept)
        halfway.sendall(HALF)
        server.kill_master()
        eventually(lambda: is_free(server), "the orphans hold the port")
        halfway.setblocking(False)
        with pytest.raises(BlockingIOError):  # it is still being read, not closed
            halfway.recv(1)
    server.serve_oddly()
    wait_until_ready(f"{server.base_url}/ready")


def test_orphans_that_are_still_loading_leave_the_address_at_once(server: Server, tmp_path: Path) -> None:
    gate = tmp_path / "never"
    server.environment["GATE"] = str(gate)
    server.serve_oddly(application="gated_answers")
    eventually(gate.with_suffix(".waiting").exists, "it does not start")
    server.kill_master()
    eventually(lambda: is_free(server), "an orphan holds the port until it has loaded")


def test_who_is_at_a_request_when_a_server_stops_may_finish_it(server: Server) -> None:
    server.serve_oddly("--graceful-timeout", "60", *orphaned(server, seconds=0))
    wait_until_ready(f"{server.base_url}/ready")
    pieces = [(GET % b"/pid")[at : at + 8] for at in range(0, len(GET) + 2, 8)]
    with server.connect() as silent, server.connect() as halfway:
        halfway.sendall(pieces[0])
        assert server.pid()  # both are with the worker
        server.processes[-1].terminate()
        eventually(lambda: is_free(server), "it does not stop")
        for number, piece in enumerate(pieces):
            silent.sendall(piece)
            halfway.sendall(piece if number else b"")
            time.sleep(0.05)  # each piece comes by itself
        assert read_all(halfway).startswith(b"HTTP/1.1 200")
        assert read_all(silent).startswith(b"HTTP/1.1 200")
