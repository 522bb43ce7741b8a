"""The sealer: one loop, wherever a worker runs, that seals what the writers left behind. Writers never wait for it,
nor for one another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from kernel.db import new_session

EVERY_SECONDS = 0.5
BATCH = 1_000
"""How many records are sealed at once, at most."""
ONLY_ONE = 7_214_001  # the advisory lock that makes several workers one sealer

SealBatch = Callable[[Session], int]
log = structlog.get_logger(__name__)


def seal_all(app: Flask) -> int:
    """Seal every batch that waits; the number of records sealed. Does nothing while another process seals."""
    sealed = 0
    with app.app_context(), new_session() as session:
        for seal_batch in app.extensions["cordillera.seals"]:
            while True:
                if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": ONLY_ONE}):
                    session.rollback()
                    return sealed
                found = seal_batch(session)
                session.commit()
                sealed += found
                if found < BATCH:
                    break
    return sealed


def seal_until(app: Flask, stop: threading.Event) -> None:
    """Seal twice a second until told to stop; a database that is down is waited for."""
    while not stop.wait(EVERY_SECONDS):
        try:
            seal_all(app)
        except DBAPIError as error:
            log.warning("sealing waits for the database", cause=type(error).__name__)


def install_sealing(app: Flask, seals: list[SealBatch]) -> None:
    """Name what is sealed: each takes a session, seals one batch in its transaction, and says how many records that
    was.
    """
    app.extensions["cordillera.seals"] = seals
