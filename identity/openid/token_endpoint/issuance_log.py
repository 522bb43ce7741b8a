"""The record of tokens issued to systems: written in batches, at most a second behind, so that no answer waits for it.

Each process keeps what it has issued and writes it twice a second, one record for each system and what its tokens are
for; an orderly end writes what is left. A process that is killed loses at most the last second of these records, never
one of a person's sign-in, which is written before the answer.
"""

from __future__ import annotations

import atexit
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Flask, current_app

from identity.clients.registry.rules import RegisteredClient
from identity.openid.tokens.bearer import client_principal
from kernel.base.slots import Slot
from kernel.database.outage import is_away
from kernel.recording.audit import prepared, record_once
from kernel.recording.work import autonomous_work

EVERY_SECONDS = 0.5
TOKENS_A_RECORD = 500
MOST_RECORDS = 20_000
log = structlog.get_logger(__name__)
Record = Mapping[str, Any]
Kind = tuple[str, tuple[str, ...], tuple[str, ...]]


@dataclass
class Waiting:
    """Tokens that this process has issued and not yet recorded: the systems, and the identifiers of their tokens."""

    clients: dict[str, RegisteredClient] = field(default_factory=dict)
    tokens: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    records: list[Record] = field(default_factory=list)
    """Records that did not reach the database, or whose answer was lost: they are written as they are, for they may be
    there.
    """
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_due: bool = False


def note_issued(client: RegisteredClient, scopes: Iterable[str], audience: Iterable[str], token_id: str) -> None:
    """Remember that the system got a token, to be written in a moment."""
    waiting = UNWRITTEN()
    with waiting.lock:
        waiting.clients[client.client_id] = client
        waiting.tokens[client.client_id, tuple(sorted(scopes)), tuple(audience)].append(token_id)
        starts, waiting.is_due = not waiting.is_due, True
    if starts:
        _write_soon(current_app._get_current_object())  # type: ignore[attr-defined]


def _write_soon(app: Flask) -> None:
    # A test writes when it says so: its database is gone in half a second.
    if app.testing:
        return
    timer = threading.Timer(EVERY_SECONDS, write_waiting, [app])
    timer.daemon = True
    timer.start()


def write_waiting(app: Flask) -> None:
    """Write what waits; where the database does not answer it goes on waiting."""
    with app.app_context():
        waiting = UNWRITTEN()
        with waiting.lock:
            tokens, waiting.tokens = waiting.tokens, defaultdict(list)
            clients, waiting.clients = waiting.clients, {}
            records, waiting.records = waiting.records, []
            waiting.is_due = False
        records += _records(tokens, clients)
        if not records:
            return
        try:
            with autonomous_work() as work:
                record_once(work.session, records)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("records of issued tokens wait for the database", cause=type(error).__name__)
            with waiting.lock:
                waiting.records = [*records, *waiting.records][-MOST_RECORDS:]
                waiting.is_due = True
            _write_soon(app)


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
    if not current_app.testing:
        atexit.register(write_waiting, current_app._get_current_object())  # type: ignore[attr-defined]
    return Waiting()


UNWRITTEN: Slot[Waiting] = Slot("unwritten_records", _made)
