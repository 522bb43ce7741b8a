"""The stage of the journeys: a running house, and the steps that every visitor takes."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60


@dataclass
class Installation:
    """The addresses of a running installation, and its command line."""

    base_url: str
    site_url: str
    provider_url: str
    data_dir: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cli(self, *arguments: str) -> str:
        """The output of a command. Raises CalledProcessError."""
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


def wait_until_ready(url: str, status: int = 200) -> None:
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == status:
                    return
        except urllib.error.HTTPError as error:
            if error.code == status:
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < until, f"{url} does not answer"
        time.sleep(0.2)


def wait_until_listening(url: str) -> None:
    """Wait for a server that is spoken to in another way than by HTTP alone."""
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.05)


GRAVE = ("serious", "critical")


def assert_accessible(page: Page) -> None:
    """No serious or critical finding of axe on a page of ours, in Spanish and in English."""
    for language in ("es", "en"):
        page.context.add_cookies([{"name": "language", "value": language, "url": page.url}])
        page.reload()
        shown = page.locator("html").get_attribute("lang")
        assert shown == language, f"{page.url} is in {shown} where {language} was asked for"
        assert_no_grave_finding(page)
    page.context.clear_cookies(name="language")
    page.reload()


def assert_no_grave_finding(page: Page) -> None:
    """Check the page as it stands."""
    found = [
        f"{violation['id']}: {violation['help']} at {[node['target'] for node in violation['nodes']][:3]}"
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in GRAVE
    ]
    assert found == [], f"{page.url}: {found}"


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


def as_official(page: Page, installation: Installation, run: str, agency: str) -> None:
    """Sign in and choose the agency to act for."""
    page.goto(f"{installation.base_url}/sign-in")
    sign_in(page, run)
    page.goto(f"{installation.base_url}/agency")
    page.click(f"form:has(input[name=agency][value={agency}]) button")


def send_form(page: Page) -> None:
    """Send the form of the page."""
    page.click("main form button[type=submit]")
