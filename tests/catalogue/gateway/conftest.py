"""A real provider for the gateway."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import ThreadingHTTPServer

import pytest
from builders.apps import under_test
from builders.gateway import Consumer, Provider
from flask import Flask

from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app


@pytest.fixture
def provider() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(provider: ThreadingHTTPServer) -> str:
    return f"localhost:{provider.server_address[1]}"


@pytest.fixture
def gateway_app(settings: Settings, address: str) -> Iterator[Flask]:
    """The application, which may reach the provider on this machine."""
    application = under_test(create_app(replace(settings, outbound_allowed=frozenset({address}))))
    yield application
    ENGINE.of(application).dispose()


@pytest.fixture
def consumer(gateway_app: Flask, address: str) -> Consumer:
    """A system with credentials for the provider."""
    return Consumer(gateway_app, address)
