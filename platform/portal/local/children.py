"""Child processes: started, watched, restarted with a growing delay, stopped in order."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portal.handover import Generation

SHORTEST_DELAY, LONGEST_DELAY = 1.0, 30.0
STABLE_AFTER_SECONDS = 5
"""The age from which a child counts as stable. One that ended sooner may do so again; an older one was ended by
something else, and starts again without delay.
"""
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
    generations: list[Generation] = field(default_factory=list)
    """Those of which somebody is left, the newest last: processes of earlier starts may have outlived their first."""
    delay: float = SHORTEST_DELAY
    started_at: float = 0.0
    start_at: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        generation = Generation()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment | generation.environment,
                # A session of its own: Ctrl-C reaches the parent only, which stops its children in order.
                start_new_session=True,
                pass_fds=(*self.handed_down, generation.handed_down),
                preexec_fn=die_with_parent,
            )
        generation.begin(self.process.pid)
        self.generations.append(generation)
        self.started_at = time.monotonic()

    def watch(self, say: Say) -> None:
        """Start the process where it is due, or note its death and when to start it again."""
        self._hand_over()
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start()
            return
        ended = self.process.poll()
        if ended is None:
            return
        self.process = None
        if now - self.started_at > STABLE_AFTER_SECONDS:
            self.start_at, self.delay = now, SHORTEST_DELAY
            say(f"{self.name} ended ({_how(ended)}); it starts again. Its log: {self.log}")
            return
        self.start_at = now + self.delay
        say(f"{self.name} ended ({_how(ended)}); it starts again in {self.delay:.0f} s. Its log: {self.log}")
        self.delay = min(self.delay * 2, LONGEST_DELAY)

    def _hand_over(self) -> None:
        """Release who is left of earlier starts, once a later one serves."""
        for generation in self.generations:
            generation.look()
        self.generations = [each for each in self.generations if not each.has_ended]
        ready = [number for number, each in enumerate(self.generations) if each.is_ready]
        for generation in self.generations[: max(ready, default=0)]:
            generation.release()

    def ask_to_stop(self) -> None:
        is_running = self.process is not None and self.process.poll() is None
        if self.process and is_running:
            self.process.terminate()
        for orphans in self.generations[:-1] if is_running else self.generations:
            orphans.terminate()

    def wait(self) -> None:
        """Wait for all that it started to end; after a while, end them."""
        until = time.monotonic() + STOP_SECONDS
        for generation in self.generations:
            generation.wait(until)
        self.generations.clear()
        if self.process:
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
