"""One trial: an installation, its clients, so many kills, and the reckoning."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks.kills.caller import PATIENCE_SECONDS, Caller
from benchmarks.kills.calls import Parties
from benchmarks.kills.installation import Installation, running
from benchmarks.kills.killer import Killer
from benchmarks.kills.ledger import Ledger
from benchmarks.kills.letters import SCOPES, Correspondent
from benchmarks.kills.reckoning import Reckoning
from benchmarks.kills.sign_ins import CALLBACK, SCOPE, Application

PERSONS = ("44.444.444-4", "55.555.555-5")
WARM_SECONDS = 3.0
TELLS_EVERY = 10


class Client(Protocol):
    """Somebody who does the same thing again and again."""

    def turn(self) -> None:
        """Do it once."""


class Trial:
    """Load that goes on whatever happens; `run` says what was lost."""

    def __init__(self, folder: Path, port: int, seed: int, say: Callable[[str], None]) -> None:
        self.folder, self.port, self.seed, self.say = folder, port, seed, say
        self.ledger, self.ended = Ledger(), threading.Event()

    def run(self, kills: int) -> list[str]:
        """Kill so many times under load; the faults."""
        with running(self.folder, self.port) as installation:
            letters = self._correspondents(installation)
            clients: list[Client] = [*letters, self._parties(), *self._applications(installation)]
            threads = [threading.Thread(target=self._keep_on, args=(client,), daemon=True) for client in clients]
            for thread in threads:
                thread.start()
            time.sleep(WARM_SECONDS)
            killer = Killer(installation, self.seed)
            for number in range(1, kills + 1):
                name = killer.strike()
                if number % TELLS_EVERY == 0 or number == kills:
                    self.say(f"{number:>5} kills, the last one of a {name}; {self._done()}")
            installation.wait_until_ready(PATIENCE_SECONDS)
            self.ended.set()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
            self._tell(killer)
            return Reckoning(installation, self.ledger, *letters).faults()

    def _caller(self, work: str) -> Caller:
        return Caller(f"http://localhost:{self.port}", self.ledger, work, self.ended)

    def _correspondents(self, installation: Installation) -> tuple[Correspondent, Correspondent]:
        made = []
        for agency, other in (("AE002", "AE003"), ("AE003", "AE002")):
            scopes = [word for scope in SCOPES.split() for word in ("--scope", scope)]
            command = ("client", "create-system", "--name", "Cartas", "--agency", agency)
            credentials = installation.made(*command, *scopes)
            seed = f"{self.seed}:{agency}"
            made.append(Correspondent(self._caller("letters"), credentials, agency, other, seed))
        return made[0], made[1]

    def _parties(self) -> Parties:
        return Parties(*(self._caller(work) for work in ("agreements", "agreements", "calls")))

    def _applications(self, installation: Installation) -> list[Application]:
        scopes = [word for scope in SCOPE.split() for word in ("--scope", scope)]
        command = ("client", "create", "--name", "Trámites", "--redirect-uri", CALLBACK, "--profile", "standard")
        credentials = installation.made(*command, *scopes, "--environment", "sandbox")
        return [Application(self._caller("sign-ins"), credentials, run) for run in PERSONS]

    def _keep_on(self, client: Client) -> None:
        while not self.ended.is_set():
            try:
                client.turn()
            except Exception as error:  # whatever a client did not expect is a fault of the installation
                where = traceback.extract_tb(error.__traceback__)[-1]
                self.ledger.lose(f"{type(client).__name__} at {where.name}: {type(error).__name__} {str(error)[:300]}")
                time.sleep(1)

    def _done(self) -> str:
        ledger = self.ledger
        return (
            f"{len(ledger.letters)} letters, {len(ledger.agreements)} agreements, {len(ledger.traces)} calls,"
            f" {ledger.families} sign-ins, {ledger.refreshes} refreshes, {len(ledger.lost)} lost"
        )

    def _tell(self, killer: Killer) -> None:
        for name, number in sorted(killer.killed.items()):
            away = sorted(killer.away[name]) or [0.0]
            self.say(
                f"{number:>5} {name}: away for {away[len(away) // 2]:.1f} s at the median, {away[-1]:.1f} s at most"
            )
        self.say(", ".join(f"{number} {name}" for name, number in sorted(self.ledger.answers.items())))
