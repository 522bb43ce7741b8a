"""The catalogue alone, with agencies and clients in memory."""

import pytest
from builders.catalogue import Caller, FakeClients, a_caller, with_fakes
from flask import Flask


@pytest.fixture
def clients(app: Flask) -> FakeClients:
    """The machine clients that agreements make; with them come the agencies of the builders."""
    return with_fakes(app)


@pytest.fixture
def caller(app: Flask, clients: FakeClients) -> Caller:
    """Makes requests as anybody."""
    return a_caller(app)
