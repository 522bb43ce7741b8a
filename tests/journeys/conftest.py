"""A whole house for the journeys: two gunicorn workers, the worker process, the demonstrations and a real Chromium."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders.chromium import a_chromium
from builders.databases import a_database
from playwright.sync_api import Browser, BrowserContext, Page
from walking import ROOT, Installation, free_address, program, wait_until_ready

from portal.local.postgres import EmbeddedPostgres


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All journeys of a run share one house: one worker of the suite walks them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("journeys"))


@pytest.fixture(scope="session")
def journeys_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    with a_database(postgres, "journeys", template="template1") as url:
        yield url


@pytest.fixture(scope="session")
def installation(journeys_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A seeded installation that serves until the last journey has ended."""
    data_dir = tmp_path_factory.mktemp("house")
    base_url, site_url, provider_url = free_address(), free_address(), free_address()
    (data_dir / "metrics").mkdir()
    provider = provider_url.removeprefix("http://")
    environment = os.environ | {
        "CORDILLERA_ENVIRONMENT": "development",
        "CORDILLERA_DATABASE_URL": journeys_database,
        "CORDILLERA_DATA_DIR": str(data_dir),
        "CORDILLERA_BASE_URL": base_url,
        "CORDILLERA_DEMONSTRATION_SITE_URL": site_url,
        "CORDILLERA_DEMONSTRATION_PROVIDER_URL": provider_url,
        "CORDILLERA_OUTBOUND_ALLOWED": provider,
    }
    running = Installation(base_url, site_url, provider_url, data_dir, environment)
    running.cli("db", "upgrade")
    running.cli("seed")
    running.environment = environment | {"PROMETHEUS_MULTIPROC_DIR": str(data_dir / "metrics")}
    running.serve("web", base_url, "wsgi:app", "-c", str(ROOT / "platform/portal/gunicorn_config.py"), "--workers", "2")
    running.serve("site", site_url, "sandbox.demonstration.site:app", "--threads", "4")
    running.serve("provider", provider_url, "sandbox.demonstration.provider:app", "--threads", "4")
    running.start("worker", program("cordillera"), "worker")
    try:
        wait_until_ready(f"{base_url}/health/ready")
        wait_until_ready(site_url)
        wait_until_ready(f"{provider_url}/openapi.json")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A Chromium for one module: while it lives, its event loop keeps other tests of the process from theirs."""
    with a_chromium() as browser:
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a browser of its own, with its own cookies, in the language and width given."""
    contexts: list[BrowserContext] = []

    def open_browser(language: str = "es-CL", width: int = 1280) -> Page:
        context = chromium.new_context(locale=language, viewport={"width": width, "height": 900}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(45_000)
        return page

    yield open_browser
    for context in contexts:
        context.close()


@pytest.fixture
def without_scripts(chromium: Browser) -> Iterator[Page]:
    """A browser that runs no scripts."""
    context = chromium.new_context(locale="es-CL", java_script_enabled=False)
    yield context.new_page()
    context.close()
