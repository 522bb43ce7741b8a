"""The kernel alone: an application without any block."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from kernel.settings import Settings
from portal.app import create_app


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    application = create_app(replace(settings, blocks=()))
    application.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    yield application
    application.extensions["cordillera.engine"].dispose()
