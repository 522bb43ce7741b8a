"""Child processes: started, watched, restarted with a growing delay, stopped in order."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SHORTEST_DELAY, LONGEST_DELAY = 1.0, 30.0
STABLE_AFTER_SECONDS = 5
"""What ends sooner may do so again; what lived longer was ended by something else, and starts again without delay."""
STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1  # prctl(2)

Say = Callable[[str], None]

# Loaded before any fork: between fork and exec a child may do next to nothing.
_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """Have this process told to stop when its parent ends, even by `kill -9`. Only Linux can; elsewhere nothing."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """A command kept alive; what it says goes to its log."""

    name: str
    command: Sequence[str]
    log: Path
    environment: dict[str, str]
    handed_down: Sequence[int] = ()
    """Descriptors that it gets too, such as the socket that it listens on."""
    process: subprocess.Popen[bytes] | None = None
    orphans: int = 0
    """The process group of the one before, of which some may live on."""
    delay: float = SHORTEST_DELAY
    started_at: float = 0.0
    start_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                # A session of its own: Ctrl-C reaches the parent only, which stops its children in order.
                start_new_session=True,
                pass_fds=tuple(self.handed_down),
                preexec_fn=die_with_parent,
            )
        self.started_at = time.monotonic()

    def watch(self, say: Say) -> None:
        """Start the process where it is due, or note its death and when to start it again."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        ended = self.process.poll()
        if ended is None:
            return
        self.orphans, self.process = self.process.pid, None
        if now - self.started_at > STABLE_AFTER_SECONDS:
            self.start_at, self.delay = now, SHORTEST_DELAY
            say(f"{self.name} ended ({_how(ended)}); it starts again. Its log: {self.log}")
            return
        self.start_at = now + self.delay
        say(f"{self.name} ended ({_how(ended)}); it starts again in {self.delay:.0f} s. Its log: {self.log}")
        self.delay = min(self.delay * 2, LONGEST_DELAY)

    def ask_to_stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
        if self.orphans:
            with suppress(ProcessLookupError):
                os.killpg(self.orphans, signal.SIGTERM)

    def wait(self) -> None:
        """Wait for the process to end; after a while, end it with all it started."""
        if self.process is None:
            return
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


def stop(children: Sequence[Child]) -> None:
    """Stop some children at the same time, and return when the last of them has ended."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait()


def _how(ended: int) -> str:
    return f"exit code {ended}" if ended >= 0 else f"killed by {signal.Signals(-ended).name}"
