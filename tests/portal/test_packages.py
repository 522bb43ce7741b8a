"""Installing what the machine lacks waits for whoever uses the package manager, with a limit, and says so."""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from walking import ROOT

pytestmark = pytest.mark.slow

PROGRAM = ROOT / ".ci/apt-get"
SUDO = """#!/bin/sh
shift
exec "$@"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Directories of apt's own that nobody else uses, without any source of packages."""
    for name in ("state/lists/partial", "cache/archives/partial", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/sudo").write_text(SUDO)  # for who runs the tests without being root
    (tmp_path / "bin/sudo").chmod(0o755)
    settings = {
        "Dir::State": tmp_path / "state",
        "Dir::State::lists": tmp_path / "state/lists",
        "Dir::Cache": tmp_path / "cache",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": "/dev/null",
    }
    (tmp_path / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return os.environ | {"APT_CONFIG": str(tmp_path / "apt.conf"), "PATH": path}


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """As another program holds it."""
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def test_a_lock_that_is_let_go_of_is_waited_for(environment: dict[str, str], tmp_path: Path) -> None:
    with held(tmp_path / "state/lists/lock"):
        waiting = subprocess.Popen([PROGRAM, "update"], env=environment, stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert "waiting for it, for at most 300 s" in waiting.stdout.readline()
        time.sleep(1)
        assert waiting.poll() is None
    assert waiting.wait(60) == 0
    waiting.stdout.close()


def test_a_lock_that_stays_is_told(environment: dict[str, str], tmp_path: Path) -> None:
    with held(tmp_path / "state/lists/lock"):
        impatient = {**environment, "PACKAGES_WAIT_SECONDS": "1"}
        refused = subprocess.run([PROGRAM, "update"], env=impatient, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "still in use after 1 s" in refused.stderr
    assert "held by process" in refused.stderr


def test_whatever_else_goes_wrong_is_told_at_once(environment: dict[str, str]) -> None:
    command = [str(PROGRAM), "install", "-y", "a-package-that-there-is-not"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "Unable to locate package" in refused.stderr
