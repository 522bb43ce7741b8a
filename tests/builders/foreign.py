"""Programs that others wrote for Node, driven by a test: `foreign/*.mjs` tells what each does, one flow a file."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from builders.browser import PersonWithBrowser
from walking import ROOT

CACHE = ROOT / "var" / "foreign-clients"
FLOW_SECONDS = 60


@dataclass(frozen=True)
class NodeClients:
    """The flows, in a folder where their libraries are."""

    folder: Path

    def run(self, flow: str, person: PersonWithBrowser | None = None, **given: Any) -> dict[str, Any]:
        """Run a flow and return its findings; where it sends a browser, the person goes."""
        with self._started(flow, stderr=subprocess.PIPE) as process:
            limit = Timer(FLOW_SECONDS, process.kill)
            limit.start()
            try:
                return self._converse(process, person, given)
            finally:
                limit.cancel()
                process.kill()

    @contextmanager
    def serving(self, server: str, **given: Any) -> Iterator[str]:
        """The address at which a server of the folder answers, with these settings, until the block ends."""
        with self._started(server, stderr=subprocess.DEVNULL) as process:
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(f"{json.dumps(given)}\n")
                process.stdin.flush()
                # What libraries have to say comes on the same way.
                said = next(line for line in process.stdout if line.startswith("{"))
                yield str(json.loads(said)["address"])
            finally:
                # What was started only starts Node, which a signal would not reach: it ends when nobody speaks to it.
                process.stdin.close()
                process.wait(FLOW_SECONDS)

    def _started(self, program: str, stderr: int) -> "subprocess.Popen[str]":
        command = [_program("node"), f"{program}.mjs"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=stderr, text=True)

    def _converse(
        self, process: "subprocess.Popen[str]", person: PersonWithBrowser | None, given: dict[str, Any]
    ) -> dict[str, Any]:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        line = json.dumps(given)
        while True:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            said = process.stdout.readline()
            assert said, process.stderr.read()
            heard = json.loads(said)
            if "found" in heard:
                found: dict[str, Any] = heard["found"]
                return found
            assert person, f"nobody is there to go to {heard}"
            line = json.dumps(person.go(heard["go"]) if "go" in heard else person.visit(heard["visit"]))


def installed(source: Path, folder: Path) -> NodeClients:
    """The programs of `source`, copied to `folder`, with the libraries that its lock names, kept between runs.

    Nothing of the libraries runs while they are installed.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = _libraries(source)
    folder.mkdir()
    for program in [source / "package.json", *source.glob("*.mjs")]:
        shutil.copy(program, folder)
    (folder / "node_modules").symlink_to(kept / "node_modules")
    return NodeClients(folder)


def _libraries(source: Path) -> Path:
    """Return the folder of the libraries; install them if no run before this one did."""
    digest = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    kept = CACHE / digest
    if kept.exists():
        return kept
    unfinished = CACHE / f"{digest}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(source / name, unfinished)
    done = subprocess.run(
        [_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"],
        cwd=unfinished,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"npm cannot install what {source} names:\n{done.stdout}{done.stderr}"
    unfinished.rename(kept)
    return kept


def _program(name: str) -> str:
    """Node or npm, as the tests' requirements bring them: a system's own may be too old for the clients."""
    return str(Path(sys.executable).with_name(name))
