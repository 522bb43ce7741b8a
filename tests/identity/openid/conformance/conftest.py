"""The clients that the FAPI 2.0 plans are run with, behind a proxy that hands certificates over."""

from collections.abc import Iterator

import pytest
from builders.apps import under_test
from builders.fapi2 import VARIANTS, Fapi2, a_variant, the_other
from builders.settings import behind_a_proxy
from flask import Flask
from flask.testing import FlaskClient

from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """Behind a proxy that hands the certificates of callers over."""
    application = under_test(create_app(behind_a_proxy(settings)))
    yield application
    ENGINE.of(application).dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def strict(app: Flask) -> Fapi2:
    return a_variant(app, VARIANTS[0])


@pytest.fixture
def other(app: Flask) -> Fapi2:
    """The suite's second client."""
    return the_other(app)


@pytest.fixture(params=VARIANTS)
def each(app: Flask, request: pytest.FixtureRequest) -> Fapi2:
    return a_variant(app, request.param)
