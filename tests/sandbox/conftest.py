"""The platform on a port of its own, for programs that call it over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders.apps import under_test
from flask import Flask
from werkzeug.serving import make_server

from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app


@pytest.fixture
def provider(settings: Settings) -> Iterator[Flask]:
    """The application, served; its base URL says where."""
    server = make_server("127.0.0.1", 0, Flask("placeholder"), threaded=True)
    app = under_test(create_app(replace(settings, base_url=f"http://localhost:{server.port}")))
    server.app = app
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield app
    server.shutdown()
    server.server_close()
    ENGINE.of(app).dispose()
