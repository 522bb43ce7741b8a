"""`cordillera run`: the whole house on one machine, from an empty checkout to a page that answers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console, RenderableType
from rich.rule import Rule

from portal.local import development
from portal.local.children import Child, die_with_parent, stop
from portal.local.database import KeptAlive
from portal.local.postgres import EmbeddedPostgres, PostgresError

READY_SECONDS = 90
PORT_SECONDS = 24
BACKLOG = 2048
LOOK_EVERY_SECONDS = 0.1
PROBE_EVERY_SECONDS = 1.0
"""Each probe is a connection that the other program may never take, and a full queue would look like a free port."""


class CannotRun(Exception):
    """The house cannot start; the message says why and what to do."""


def run_everything(port: int) -> int:
    """Start the database, migrate, seed and serve on `port` and the two above, until a signal ends it.

    Returns the exit code: 0 after a stop that was asked for, 1 where something kept the house from starting.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has asked to stay when the terminal goes.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    if "MAKELEVEL" in os.environ:
        # `make` that is killed must not leave a house behind that holds its ports.
        die_with_parent()
    installation = LocalInstallation(port)
    try:
        installation.start()
        installation.watch()
    except KeyboardInterrupt:
        return 0
    except (CannotRun, PostgresError) as error:
        installation.say(f"Cordillera cannot run: {error}")
        return 1
    finally:
        installation.stop()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class LocalInstallation:
    """The database and the processes of one checkout."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.data = development.data_dir()
        self.logs = self.data / "log"
        self.database: KeptAlive | None = None
        self.environment: dict[str, str] = {}
        self.counted: dict[str, str] = {}
        self.servers: list[Child] = []
        self.workers: list[Child] = []
        self._listening: socket.socket | None = None
        self._console = Console(highlight=False)

    def say(self, text: RenderableType) -> None:
        """Print, and go on where nobody reads any more: the database has still to be stopped."""
        with suppress(OSError, SystemExit):
            self._console.print(text, markup=False, soft_wrap=True)

    def start(self) -> None:
        """Take every step up to the first page. Raises CannotRun, PostgresError."""
        self._check_ports()
        self._start_database()
        self._command("Bringing the tables up to date", "db", "upgrade")
        self._start_portal()
        self._command("Seeding the sandbox, while they load", "seed")
        self._start_demonstrations()
        self._wait_until_ready()
        self._tell()

    def watch(self) -> NoReturn:
        """Keep everything alive; returns only by a signal. Raises DataGone."""
        while True:
            self._look_after_all()
            time.sleep(LOOK_EVERY_SECONDS)

    def _look_after_all(self) -> None:
        if self.database:
            self.database.watch()
        for child in (*self.servers, *self.workers):
            child.watch(self.say)

    def stop(self) -> None:
        """Stop who asks first, then who works, then the database. A second signal does not break it off."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self.servers or self.database:
            self.say("Stopping …")
        stop(self.servers)
        if self._listening:
            self._listening.close()
        stop(self.workers)
        if self.database:
            self.database.stop()
            self.say("Stopped. The data stays in " + str(self.data))

    def _check_ports(self) -> None:
        """Refuse ports in use, after giving a house that is just ending the time to leave them."""
        uses = {self.port: "the portal", self.port + 1: "the demonstration site", self.port + 2: "its provider"}
        until = time.monotonic() + PORT_SECONDS
        waiting = False
        while taken := [port for port in uses if _in_use(port)]:
            if time.monotonic() > until:
                raise CannotRun(
                    f"port {taken[0]}, for {uses[taken[0]]}, is in use by another program."
                    f" Stop that one, or choose another: make run PORT={self.port + 100}"
                )
            if not waiting:
                self.say(f"Port {taken[0]} is in use; waiting {PORT_SECONDS} s, should it be an earlier run that ends")
                waiting = True
            time.sleep(PROBE_EVERY_SECONDS)

    def _start_database(self) -> None:
        url = os.environ.get("CORDILLERA_DATABASE_URL", "")
        if url:
            self.say("Using the database of CORDILLERA_DATABASE_URL")
        else:
            self.say(f"Starting PostgreSQL in {self.data / 'postgres'}")
            postgres = EmbeddedPostgres(self.data / "postgres", log=self.logs / "postgres.log")
            self.database = KeptAlive(postgres, self.say)
            url = self.database.start()
        metrics = self.data / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True)
        settings = development.environment(self.port, url)
        development.remember(settings)
        self.environment = os.environ | settings
        # Only for those that live as long as the house: the figures of a command would stay in their sum.
        self.counted = self.environment | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}

    def _command(self, what: str, *arguments: str) -> None:
        """Run one of our own commands to its end, again where the database ended meanwhile.

        Raises CannotRun with the last lines of what it said.
        """
        self.say(what)
        log = self.logs / f"{arguments[0]}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        while self._fails(log, *arguments):
            if not (self.database and self.database.watch()):
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise CannotRun(f"`cordillera {' '.join(arguments)}` failed (its log: {log}).\n{tail}")
            while self.database.watch():
                time.sleep(LOOK_EVERY_SECONDS)
            self.say(f"{what}, once more")

    def _fails(self, log: Path, *arguments: str) -> bool:
        with log.open("w") as output:
            done = subprocess.run(
                [_program("cordillera"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=development.ROOT,
                check=False,
                preexec_fn=die_with_parent,
            )
        return done.returncode != 0

    def _start_portal(self) -> None:
        self.say("Starting the portal and the worker")
        config = str(Path(__file__).parent.with_name("gunicorn_config.py"))
        access_log = str(self.logs / "web-access.log")
        # The socket outlives gunicorn's master: while the next one starts, orphaned workers go on answering.
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=BACKLOG)
        listening = self._listening.fileno()
        web = self._server("web", f"fd://{listening}", "-c", config, "--access-logfile", access_log, "wsgi:app")
        web.handed_down = [listening]
        self.servers = [web]
        self.workers = [self._child("worker", _program("cordillera"), "worker")]
        for child in (*self.servers, *self.workers):
            child.start()

    def _start_demonstrations(self) -> None:
        self.say("Starting the demonstrations")
        for offset, name in enumerate(("site", "provider"), start=1):
            application = f"sandbox.demonstration.{name}:app"
            address = f"127.0.0.1:{self.port + offset}"
            server = self._server(f"demonstration-{name}", address, "--threads", "4", application)
            server.start()
            self.servers.append(server)

    def _server(self, name: str, address: str, *arguments: str) -> Child:
        fixed = ("--bind", address, "--chdir", str(development.ROOT), "--no-control-socket")
        return self._child(name, _program("gunicorn"), *fixed, *arguments)

    def _child(self, name: str, *command: str) -> Child:
        return Child(name, command, self.logs / f"{name}.log", self.counted)

    def _wait_until_ready(self) -> None:
        """Wait for the first page, restarting what falls. Raises CannotRun where it does not come."""
        waits: dict[str, Callable[[], bool]] = {
            "the portal": lambda: _answers(f"http://127.0.0.1:{self.port}/health/ready"),
            "the demonstration site": lambda: _in_use(self.port + 1),
            "the demonstration provider": lambda: _in_use(self.port + 2),
        }
        until = time.monotonic() + READY_SECONDS
        for name, is_ready in waits.items():
            while not is_ready():
                if time.monotonic() > until:
                    raise CannotRun(f"{name} does not answer after {READY_SECONDS} s. Its log is in {self.logs}")
                self._look_after_all()
                time.sleep(0.2)

    def _tell(self) -> None:
        portal = self.environment["CORDILLERA_BASE_URL"]
        self.say(Rule("Cordillera is running"))
        self.say(f"""
  {portal:<34} the portal
  http://localhost:{self.port + 1:<17} an agency's site: sign in there as a citizen would
  {portal + "/sandbox":<34} for developers: an application with credentials of its own, at once
  {portal + "/developers":<34} the guide, and the API to try out
  {portal + "/outbox":<34} mail that would have been sent

  Sign in with the password `testing` as
  44.444.444-4   a citizen
  55.555.555-5   an official of the authority, which approves and watches (AE001), and of AE004
  88.888.888-8   an official of an agency that shares a service (AE002)
  99.999.999-9   an official of the municipality that has the site above (AE003)

  Logs are in {self.logs}. Ctrl-C stops everything; the data stays.
""")


def _program(name: str) -> str:
    """A command of the environment that this one runs in."""
    return str(Path(sys.executable).with_name(name))


def _in_use(port: int) -> bool:
    """Whether something answers on this port of the machine itself."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (an address of our own)
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
