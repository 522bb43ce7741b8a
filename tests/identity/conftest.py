"""A running server for the clients that others wrote."""

from collections.abc import Iterator

import pytest
from builders.server import two_workers
from flask import Flask
from walking import House, free_address

from kernel.settings import Settings


@pytest.fixture
def served(app: Flask, settings: Settings) -> Iterator[House]:
    """Two gunicorn workers on the same database, keys and documents as `app`."""
    with two_workers(settings, free_address()) as house:
        yield house
