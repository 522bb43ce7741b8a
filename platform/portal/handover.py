"""Handover from one start of a server to the next: who serves says so, and who is no longer needed is told to go.

Whoever keeps a server alive holds one end of a pair of sockets for each start, and all processes of that start hold the
other. A process that serves says so there. Then the keeper closes its half towards all earlier starts: of those whose
master was killed, workers live on and have answered meanwhile. However any of them is killed, the kernel closes what it
held, so that nobody has to tidy up for the others to learn of it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from contextlib import suppress

KEEPER_FD = "CORDILLERA_KEEPER_FD"


class Generation:
    """The processes of one start, as their keeper sees them."""

    def __init__(self) -> None:
        self._line, self._handed_down = socket.socketpair()
        self._group = 0
        self.is_ready = False
        """Whether one of them has said that it serves."""
        self.has_ended = False
        """Whether none is left."""

    @property
    def handed_down(self) -> int:
        """The descriptor of the processes' own end."""
        return self._handed_down.fileno()

    @property
    def environment(self) -> dict[str, str]:
        return {KEEPER_FD: str(self.handed_down)}

    def begin(self, group: int) -> None:
        """Note the process group, and leave the other end to it."""
        self._group = group
        self._handed_down.close()

    def look(self) -> None:
        """Take in what they have said, and whether anybody is left."""
        with suppress(BlockingIOError):
            while not self.has_ended:
                if self._line.recv(64, socket.MSG_DONTWAIT):
                    self.is_ready = True
                else:
                    self.has_ended = True
                    self._line.close()

    def release(self) -> None:
        """Tell those whose master is gone that others serve."""
        if not self.has_ended:
            self._line.shutdown(socket.SHUT_WR)

    def terminate(self) -> None:
        """Ask all that are left to end."""
        self.look()
        self._signal(signal.SIGTERM)

    def wait(self, until: float) -> None:
        """Wait for the last one to end; at that time of the monotonic clock, end them."""
        self.look()
        while not self.has_ended:
            if time.monotonic() > until:
                self._signal(signal.SIGKILL)
                return
            select.select([self._line], [], [], max(0.0, until - time.monotonic()))
            self.look()

    def _signal(self, number: signal.Signals) -> None:
        # As long as one of them holds the line, no other group has their number.
        if not self.has_ended:
            with suppress(ProcessLookupError):
                os.killpg(self._group, number)


def line_to_keeper() -> socket.socket | None:
    """The end that was handed down to this process; None where nobody keeps it. Readable once it may go."""
    number = os.environ.get(KEEPER_FD)
    if number is None:
        return None
    line = socket.socket(fileno=int(number))
    line.set_inheritable(False)
    return line


def say_ready(line: socket.socket) -> None:
    """Say that this process serves. A keeper that is gone, or has yet to read what others said, needs no more."""
    with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        line.send(b"+", socket.MSG_DONTWAIT)
