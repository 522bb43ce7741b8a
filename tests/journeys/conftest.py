"""A whole house for the journeys: gunicorn with two workers, the worker process, the demonstrations and a real Chromium."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import make_url

from kernel.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All journeys of a run share one house: one worker of the suite walks them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("journeys"))


@dataclass
class House:
    """The addresses of a running installation, and its command line."""

    base_url: str
    site_url: str
    provider_url: str
    data_dir: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cli(self, *arguments: str) -> str:
        """What a command prints. Raises CalledProcessError."""
        done = subprocess.run(
            [program("cordillera"), *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str, *command: str) -> None:
        log = self.data_dir / f"{name}.log"
        with log.open("ab") as output:
            self.processes.append(
                subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
            )

    def serve(self, name: str, address: str, application: str, *options: str) -> None:
        bind = address.removeprefix("http://localhost:")
        self.start(
            name, program("gunicorn"), "--no-control-socket", "--bind", f"127.0.0.1:{bind}", *options, application
        )

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://localhost:{probe.getsockname()[1]}"


def wait_until_ready(url: str) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < until, f"{url} does not answer"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def journeys_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"journeys_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    server = make_url(postgres.url("postgres", role="postgres")).set(drivername="postgresql")
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} OWNER cordillera")
        yield postgres.url(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def house(journeys_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
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
    running = House(base_url, site_url, provider_url, data_dir, environment)
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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert executable, "The journeys need Chromium. On Debian: apt install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
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
        page.set_default_timeout(15_000)
        return page

    yield open_browser
    for context in contexts:
        context.close()


GRAVE = ("serious", "critical")


def assert_accessible(page: Page) -> None:
    """No serious or critical finding of axe, in Spanish and in English, and no error of the page's own."""
    for language in ("es", "en"):
        page.context.add_cookies([{"name": "language", "value": language, "url": page.url}])
        page.reload()
        assert page.locator("html").get_attribute("lang") == language
        found = [
            f"{violation['id']}: {violation['help']} at {[node['target'] for node in violation['nodes']][:3]}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in GRAVE
        ]
        assert found == [], f"{page.url} in {language}: {found}"
    page.context.clear_cookies(name="language")
    page.reload()


def sign_in(page: Page, run: str, password: str = "testing") -> None:
    """Fill in the sign-in form that the page shows."""
    page.fill("#run", run)
    page.fill("#password", password)
    page.click("main form button[type=submit]")


def allow(page: Page) -> None:
    """Agree to what the application asks for, where it is asked."""
    if page.locator("button[name=decision][value=allow]").count():
        page.click("button[name=decision][value=allow]")


def text_of(page: Page, pattern: str) -> str:
    """The first match of a pattern in what the page shows."""
    found = re.search(pattern, page.inner_text("main"))
    assert found, f"{pattern} is not on {page.url}: {page.inner_text('main')[:600]}"
    return found.group(0)
