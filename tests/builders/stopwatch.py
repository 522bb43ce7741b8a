"""The clock by which a process knows how old something is that it remembers: a test that counts on it sets it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def in_seconds(seconds: float) -> Iterator[None]:
    """So many seconds later, and from then on no time passes, however slow the machine is."""
    later = time.monotonic() + seconds
    with patch("time.monotonic", lambda: later):
        yield
