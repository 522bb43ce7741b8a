"""The kernel alone: an application without any block."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from builders.apps import under_test
from flask import Flask

from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    application = under_test(create_app(replace(settings, blocks=())))
    yield application
    ENGINE.of(application).dispose()
