"""Waiting for what comes about in another thread or process."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], seconds: float = 90) -> None:
    """Go on as soon as it holds; how long it takes says only how busy the machine is."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
