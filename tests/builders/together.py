"""Callers who all come at the same moment."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from flask import Flask
from flask.testing import FlaskClient

PATIENCE_SECONDS = 60
"""The longest wait for an answer: a longer one means a deadlock."""
Answer = TypeVar("Answer")
Call = Callable[[FlaskClient], Answer]


def at_once(app: Flask, calls: Iterable[Call[Answer]]) -> list[Answer]:
    """Return each call's answer, in the order of the calls. Each has a browser of its own and waits until all are
    there.
    """
    waiting = list(calls)
    together = Barrier(len(waiting))

    def come(call: Call[Answer]) -> Answer:
        browser = app.test_client()
        together.wait(PATIENCE_SECONDS)
        return call(browser)

    with ThreadPoolExecutor(len(waiting)) as threads:
        return list(threads.map(come, waiting, timeout=PATIENCE_SECONDS))
