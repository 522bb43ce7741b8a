"""The embedded database of a house, kept alive: it starts again when it ends, and when it no longer answers."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from portal.local.postgres import EmbeddedPostgres, EndedWhileStarting, PostgresError

ASKED_EVERY_SECONDS = 5.0
SILENT_SECONDS = 15.0
"""The time for which one that lives may say nothing: longer than a checkpoint on a slow disk keeps it silent."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
FIRST_ATTEMPTS = 5

Say = Callable[[str], None]


class DataGone(PostgresError):
    """The data directory was taken away from under the running server."""


class KeptAlive:
    """The server of a data directory, from its first start on."""

    def __init__(self, postgres: EmbeddedPostgres, say: Say) -> None:
        self.postgres, self._say = postgres, say
        self._pause = SHORTEST_PAUSE
        self._try_at = 0.0
        self._pid: int | None = None
        self._asked_at = self._answered_at = time.monotonic()

    def start(self) -> str:
        """Start it, again where it is killed meanwhile; the URL of its database. Raises PostgresError."""
        for attempt in range(1, FIRST_ATTEMPTS + 1):
            try:
                url = self.postgres.start()
            except EndedWhileStarting as error:
                if attempt == FIRST_ATTEMPTS:
                    raise
                time.sleep(self._tell_pause(error))
                continue
            self._note_answer()
            return url
        raise AssertionError("the last attempt has returned or raised")

    def watch(self) -> bool:
        """Look after it; whether it had to be started again. Raises DataGone."""
        if not self.postgres.has_data():
            raise DataGone(
                f"{self.postgres.data_dir} was taken away while the database ran in it, and nothing is begun anew in"
                " its place. Put it back and start again; where it is to be a new one, start again as it is."
            )
        pid = self.postgres.pid()
        if pid is not None and not self._is_silent():
            self._pid = pid
            return False
        if time.monotonic() >= self._try_at:
            happened = "ended" if pid is None else "lives but no longer answers at its address"
            self._say(f"The database {happened}; it starts again with its data.")
            self._start_again()
        return True

    def stop(self) -> None:
        """Stop it, also where its directory has gone from under it. Raises PostgresError."""
        if self.postgres.has_data():
            self.postgres.stop()
        elif self._pid is not None and self.postgres.is_server(self._pid):
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGQUIT)

    def _is_silent(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at >= ASKED_EVERY_SECONDS:
            self._asked_at = now
            if self.postgres.answers():
                self._answered_at = now
        return now - self._answered_at > SILENT_SECONDS

    def _start_again(self) -> None:
        try:
            self.postgres.end()
            self.postgres.start()
        except PostgresError as error:
            self._try_at = time.monotonic() + self._tell_pause(error)
            return
        self._note_answer()

    def _note_answer(self) -> None:
        self._pause, self._pid = SHORTEST_PAUSE, self.postgres.pid()
        self._asked_at = self._answered_at = time.monotonic()

    def _tell_pause(self, error: PostgresError) -> float:
        """Say that it did not start, and how long until the next attempt."""
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        self._say(f"{str(error).splitlines()[0]} It is tried again in {pause:.0f} s.")
        return pause
