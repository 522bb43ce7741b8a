"""One running server for all programs that others wrote, and the libraries of those that Node runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.browser import PersonWithBrowser
from builders.databases import a_database
from builders.foreign import NodeClients, installed
from builders.identity import a_person
from builders.server import two_workers
from builders.settings import behind_a_proxy, settings_of_tests
from flask import Flask
from walking import Installation, free_address

from kernel.base.settings import Settings
from kernel.database.db import ENGINE
from portal.app import create_app
from portal.local.postgres import EmbeddedPostgres


@pytest.fixture(scope="package")
def site() -> str:
    """The place of a test's application that the provider may call."""
    return free_address()


@pytest.fixture(scope="package")
def settings(
    postgres: EmbeddedPostgres, worker_database: str, site: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Of an installation that lives until the last of these tests has ended, on a copy of the empty database."""
    with a_database(postgres, "foreign") as url:
        settings = settings_of_tests(
            url,
            tmp_path_factory.mktemp("foreign") / "var",
            base_url=free_address(),
            outbound_allowed=frozenset({site.removeprefix("http://")}),
        )
        yield behind_a_proxy(settings, mtls_base_url=free_address().replace("http:", "https:"))


@pytest.fixture(scope="package")
def app(settings: Settings) -> Iterator[Flask]:
    """The application beside the server, to register clients and persons with."""
    application = create_app(settings)
    yield application
    ENGINE.of(application).dispose()


@pytest.fixture(scope="package")
def served(settings: Settings, app: Flask) -> Iterator[Installation]:
    with two_workers(settings, settings.base_url) as installation:
        yield installation


@pytest.fixture
def person(app: Flask, served: Installation) -> Iterator[PersonWithBrowser]:
    """Somebody who has not signed in yet."""
    with app.app_context():
        found = a_person(given_names=["Ana"], family_names=["Ñancupil"], password="testing", is_test_person=True)
    person = PersonWithBrowser(served.base_url, str(found.run), "testing")
    yield person
    person.http.close()  # the server waits for open connections when it stops


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> NodeClients:
    """openid-client and oauth4webapi, unmodified, as the lock beside this file has them."""
    return installed(Path(__file__).parent, tmp_path_factory.mktemp("node") / "flows")
