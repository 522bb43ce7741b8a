import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from builders.waiting import wait_until

from portal.local.children import Child, stop

pytestmark = pytest.mark.slow


def a_child(tmp_path: Path, program: str) -> Child:
    return Child("worker", [sys.executable, "-c", program], tmp_path / "log" / "worker.log", dict(os.environ))


def is_running(pid: int) -> bool:
    """A process that nobody has reaped yet has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_a_child_says_goes_to_its_log(tmp_path: Path) -> None:
    child = a_child(tmp_path, "print('buenos días')")
    child.start()
    child.wait()
    assert child.log.read_text() == "buenos días\n"


def test_a_child_that_dies_is_announced_and_started_again_ever_later(tmp_path: Path) -> None:
    child, said = a_child(tmp_path, "raise SystemExit(3)"), list[str]()
    for attempt in range(3):
        child.start_at = time.monotonic()
        child.watch(said.append)
        assert child.process
        child.process.wait()
        child.watch(said.append)
        assert len(said) == attempt + 1
    assert "exit code 3" in said[0]
    assert all(f" in {2**attempt} s." in said[attempt] for attempt in range(3))


def test_a_child_that_lived_for_a_while_starts_again_at_once(tmp_path: Path) -> None:
    child, said = a_child(tmp_path, "raise SystemExit(3)"), list[str]()
    for _ in range(3):
        child.start()
        assert child.process
        child.process.wait()
        child.started_at -= 10
        child.watch(said.append)
        assert child.start_at <= time.monotonic()
    assert len(said) == 3


def test_a_child_gets_the_socket_that_is_handed_down(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        child = a_child(tmp_path, f"import socket; print(socket.socket(fileno={number}).getsockname()[1])")
        child.handed_down = [number]
        child.start()
        child.wait()
        assert child.log.read_text() == f"{listening.getsockname()[1]}\n"


def test_a_child_that_is_not_due_yet_stays_down(tmp_path: Path) -> None:
    child = a_child(tmp_path, "pass")
    child.start_at = time.monotonic() + 60
    child.watch(print)
    assert child.process is None


def test_children_are_stopped_together(tmp_path: Path) -> None:
    children = [a_child(tmp_path, "import time; time.sleep(60)") for _ in range(2)]
    for child in children:
        child.start()
    processes = [child.process.pid for child in children if child.process]
    stop(children)
    assert not any(is_running(pid) for pid in processes)


def has_said(child: Child, words: int) -> bool:
    return len(child.log.read_text().split()) == words


def test_who_is_left_of_an_earlier_start_is_stopped_with_the_child(tmp_path: Path) -> None:
    child = a_child(tmp_path, "import os, signal; os.fork(); print(os.getpid(), flush=True); signal.pause()")
    for starts in (1, 2):
        child.start()
        assert child.process
        wait_until(partial(has_said, child, 2 * starts))
        child.process.kill()
        child.process.wait()
    stop([child])
    assert not any(is_running(int(pid)) for pid in child.log.read_text().split())


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = f"""
import os, pathlib, sys, time
from portal.local.children import Child
log = pathlib.Path({str(tmp_path / "log")!r})
child = Child("worker", [sys.executable, "-c", "import time; time.sleep(60)"], log, dict(os.environ))
child.start()
print(child.process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        assert is_running(child)
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_running(child))
