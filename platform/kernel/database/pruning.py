"""Pruning of rows whose time is over: in batches, so that no table is locked and nobody waits for a long
transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, delete, inspect, select, tuple_
from sqlalchemy.orm import Session

BATCH = 1_000


def remove_batch(session: Session, table: type[Any], ended: ColumnElement[bool]) -> int:
    """Remove at most `BATCH` rows for which `ended` holds; how many there were. Rows in somebody's hands stay."""
    key = inspect(table).primary_key
    chosen = select(*key).where(ended).limit(BATCH).with_for_update(skip_locked=True)
    gone: CursorResult[Any] = session.connection().execute(delete(table.__table__).where(tuple_(*key).in_(chosen)))
    return gone.rowcount


def until_empty(remove: Callable[[], int]) -> int:
    """Call what removes a batch, a transaction each, until one is not full; how many rows it was in all."""
    removed = 0
    while True:
        count = remove()
        removed += count
        if count < BATCH:
            return removed
