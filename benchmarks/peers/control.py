"""The control: Flask that answers two letters and does nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.peers.peer import SERVERS, Place, Running, gunicorn, serve


class Control:
    """Its rate is the ceiling for anything built on Flask here."""

    name = "control"
    about = "a bare Flask answer, gunicorn with 2 workers"

    def install(self, folder: Path) -> None:
        """Flask and gunicorn are ours."""

    def start(self, place: Place) -> Running:
        command = gunicorn(Path(sys.prefix), place, "bare_flask:app", "--chdir", str(SERVERS))
        return Running([serve(place, command, place.address)], {"answer": place.address})
