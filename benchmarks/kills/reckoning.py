"""Afterwards: what the clients were told, held against what the installation has."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default

import psycopg
from sqlalchemy import make_url

from benchmarks.kills.installation import Installation
from benchmarks.kills.ledger import Ledger
from benchmarks.kills.letters import Correspondent
from interoperability.receipts.rules import verify

QUIET_SECONDS = 300
CODE = re.compile(r"/agency/(?:agreements|communications)/([A-Z0-9-]+)")
UNFINISHED = """
    SELECT count(*) FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND (attempts > 0 OR coalesce(scheduled_at, now()) <= now())
"""
"""SQL of the jobs that are due; one that was planned for a later time is in nobody's debt."""
FAILED = "SELECT task_name, count(*) FROM procrastinate_jobs WHERE status IN ('failed', 'aborted') GROUP BY 1"
UNSEALED = "SELECT count(*) FROM audit_waiting"


class Reckoning:
    """Everything that is not as it was told, a sentence each."""

    def __init__(self, installation: Installation, ledger: Ledger, sender: Correspondent, receiver: Correspondent):
        self.installation, self.ledger, self.parties = installation, ledger, (sender, receiver)
        url = make_url(installation.postgres.url()).set(drivername="postgresql")
        self._database = url.render_as_string(hide_password=False)

    def faults(self) -> list[str]:
        """Wait until everything is done, and compare."""
        return [*self.ledger.lost, *self.ledger.faults, *self._unfinished(), *self._compared(), *self._seals()]

    def _unfinished(self) -> Iterator[str]:
        until = time.monotonic() + QUIET_SECONDS
        while any(waiting := [self._number(query) for query in (UNFINISHED, UNSEALED)]):
            if time.monotonic() > until:
                yield f"after {QUIET_SECONDS} s {waiting[0]} jobs and {waiting[1]} records to seal still wait"
                break
            time.sleep(1)
        for name, number in self._rows(FAILED):
            yield f"{number} jobs {name} have failed for good"

    def _compared(self) -> Iterator[str]:
        yield from self._letters()
        yield from self._agreements()
        yield from self._mails()

    def _letters(self) -> Iterator[str]:
        rows = self._rows("SELECT idempotency_key, code, status FROM communication WHERE idempotency_key IS NOT NULL")
        codes, status = {key: code for key, code, _ in rows}, {code: state for _, code, state in rows}
        for key, number in Counter(key for key, *_ in rows).items():
            if number > 1:
                yield f"the letter {key} was sent {number} times"
        for letter in list(self.ledger.letters):
            if letter.code and codes.get(letter.key) != letter.code:
                yield f"{letter.code} was acknowledged and is not there"
            if letter.is_acknowledged and status.get(letter.code) != "acknowledged":
                yield f"the acknowledgement of {letter.code} is lost"
            if code := codes.get(letter.key):
                yield from self._letter(code, letter.sha256)

    def _letter(self, code: str, sha256: str) -> Iterator[str]:
        sender = self.parties[0] if self._sender(code) == self.parties[0].agency else self.parties[1]
        read = sender.api("GET", f"/communications/{code}/documents/1")
        if hashlib.sha256(read.content).hexdigest() != sha256:
            yield f"the document of {code} is not what was sent: {read.status_code}"
        receipt = sender.api("GET", f"/communications/{code}/receipt")
        broken = [check.name for check in verify(receipt.content) if not check.ok]
        if broken:
            yield f"the receipt of {code} does not hold: {receipt.status_code} {broken}"

    def _sender(self, code: str) -> str:
        return str(self._rows("SELECT sender FROM communication WHERE code = %s", code)[0][0])

    def _agreements(self) -> Iterator[str]:
        status = {code: row[0] for code, *row in self._rows("SELECT code, status FROM agreement")}
        for code, told in self.ledger.agreements.items():
            if status.get(code) != told:
                yield f"the agreement {code} was {told} and is {status.get(code)}"
        for code in sorted(set(status) - set(self.ledger.agreements)):
            yield f"the agreement {code} was made a second time"
        kept = {trace for (trace,) in self._rows("SELECT trace FROM gateway_call")}
        for trace in self.ledger.traces:
            if trace not in kept:
                yield f"the call {trace} was answered and is not in the count"

    def _mails(self) -> Iterator[str]:
        """One to each person about each step of each thing."""
        written: Counter[tuple[str, ...]] = Counter()
        for path in (self.installation.data / "mail").glob("*.eml"):
            mail = message_from_bytes(path.read_bytes(), policy=default)
            body = mail.get_body()
            written[mail["To"], mail["Subject"], *CODE.findall(body.get_content() if body else "")] += 1
        for about, number in written.items():
            if number > 1:
                yield f"{number} mails {about}"

    def _seals(self) -> Iterator[str]:
        for command in (("audit", "verify"), ("evidence", "audit")):
            try:
                self.installation.cli(*command)
            except RuntimeError as error:
                yield str(error)
        answered = (self.installation.data / "log" / "web-access.log").read_text().count('" 500 ')
        if answered:
            yield f"{answered} answers have the status 500, as the log of accesses says"

    def _number(self, query: str) -> int:
        return int(self._rows(query)[0][0])

    def _rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        with psycopg.connect(self._database) as connection:
            return list(connection.execute(query.encode(), values).fetchall())
