"""The record of tokens issued to systems: written in batches, at most a second behind, so that no answer waits for it.

Each process keeps what it has issued and writes it twice a second, one record for each system and what its tokens are
for; an orderly end writes what is left. A process that is killed loses at most the last second of these records, never
one of a person's sign-in, which is written before the answer.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app

from identity.clients.registry.rules import RegisteredClient
from identity.openid.tokens.bearer import client_principal
from kernel.base.slots import Slot
from kernel.database.outage import is_away
from kernel.jobs.loops import Loop
from kernel.recording.audit import prepared, record_once
from kernel.recording.work import autonomous_work

EVERY_SECONDS = 0.5
LAST_TURN_SECONDS = 10.0
TOKENS_A_RECORD = 500
MOST_RECORDS = 20_000
Record = Mapping[str, Any]
Kind = tuple[str, tuple[str, ...], tuple[str, ...]]


@dataclass
class Waiting:
    """Tokens that this process has issued and not yet recorded: the systems, and the identifiers of their tokens."""

    writer: Loop
    clients: dict[str, RegisteredClient] = field(default_factory=dict)
    tokens: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    records: list[Record] = field(default_factory=list)
    """Records that did not reach the database, or whose answer was lost: they are written as they are, for they may be
    there.
    """
    lock: threading.Lock = field(default_factory=threading.Lock)


def note_issued(client: RegisteredClient, scopes: Iterable[str], audience: Iterable[str], token_id: str) -> None:
    """Remember that the system got a token, to be written in a moment."""
    waiting = UNWRITTEN()
    with waiting.lock:
        waiting.clients[client.client_id] = client
        waiting.tokens[client.client_id, tuple(sorted(scopes)), tuple(audience)].append(token_id)
    # A test writes when it says so: its database is gone in half a second.
    if not (waiting.writer.runs_here or current_app.testing):
        waiting.writer.start()


def write_waiting(app: Flask) -> None:
    """Write what waits. Raises where the database does not answer, and what was to be written goes on waiting."""
    with app.app_context():
        waiting = UNWRITTEN()
        with waiting.lock:
            tokens, waiting.tokens = waiting.tokens, defaultdict(list)
            clients, waiting.clients = waiting.clients, {}
            records, waiting.records = waiting.records, []
        records += _records(tokens, clients)
        if not records:
            return
        try:
            with autonomous_work() as work:
                record_once(work.session, records)
        except Exception as error:
            if is_away(error):
                with waiting.lock:
                    waiting.records = [*records, *waiting.records][-MOST_RECORDS:]
            raise


def _records(tokens: dict[Kind, list[str]], clients: dict[str, RegisteredClient]) -> list[Record]:
    records: list[Record] = []
    for (client_id, scopes, audience), identifiers in tokens.items():
        caller = client_principal(clients[client_id])
        records += [
            prepared(
                "identity:machine-token:issued",
                f"client:{client_id}",
                caller,
                tokens=identifiers[start : start + TOKENS_A_RECORD],
                scopes=list(scopes),
                audience=list(audience),
            )
            for start in range(0, len(identifiers), TOKENS_A_RECORD)
        ]
    return records


def _made() -> Waiting:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return Waiting(
        Loop("issuance_log", lambda: write_waiting(app), every=EVERY_SECONDS, last_turn_seconds=LAST_TURN_SECONDS)
    )


UNWRITTEN: Slot[Waiting] = Slot("unwritten_records", _made)
