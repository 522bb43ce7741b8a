"""The embedded PostgreSQL: a server of our own in a data directory, for development, small sites and tests.

Its programs come out of a wheel, or from the machine where the wheel does not run. It listens on a Unix socket only, in
a directory that nobody else may enter, so it needs no password and no port. It runs apart from whoever started it: when
that process is killed the server goes on, and the next start adopts it.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import URL

from portal.local.postgres_programs import (
    Account,
    DataDirectoryVersionError,
    Installation,
    PostgresError,
    choose_installation,
    run_program,
)

__all__ = ["DataDirectoryVersionError", "EmbeddedPostgres", "EndedWhileStarting", "PostgresError"]

NAME = "cordillera"
SUPERUSER = "postgres"
PORT = 5432
LONGEST_SOCKET_PATH = 107  # sun_path in unix(7), less its closing zero
START_SECONDS = 60
ENDS_SECONDS = 10
ANSWERS_WITHIN_SECONDS = 3
MAX_CONNECTIONS = 200

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": str(MAX_CONNECTIONS),
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For data that is worth nothing after the run: a crash of the machine may lose it.
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EndedWhileStarting(PostgresError):
    """The server came, and was gone before it answered: somebody killed it, or the machine did."""


class EmbeddedPostgres:
    """A PostgreSQL server in `data_dir`, started by `start()` and stopped by `stop()`; also a context manager.

    `socket_dir` holds its socket (by default the data directory, or a directory under /tmp where the path is too long),
    `log` its log. `fast` gives up safety on a crash of the machine: for tests only.
    """

    def __init__(
        self, data_dir: Path, *, socket_dir: Path | None = None, log: Path | None = None, fast: bool = False
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.log = (log or self.data_dir / "server.log").resolve()
        self._wanted_socket_dir = socket_dir
        self._fast = fast
        self._settings = SETTINGS | (FAST_SETTINGS if fast else {})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server, or adopt the one that runs on this data already, and return the URL of its database.

        The directory, the role and the database are made where they are missing. Raises PostgresError.
        """
        try:
            self.data_dir.parent.mkdir(parents=True, exist_ok=True)
            with self._alone():
                installation, account = choose_installation(self.data_dir), Account.for_directory(self.data_dir)
                if not (self.data_dir / "PG_VERSION").exists():
                    self._create(installation, account)
                self._run(installation, account)
                self._ensure_database()
        except psycopg.Error as error:
            kind = EndedWhileStarting if self.pid() is None else PostgresError
            raise kind(f"The database in {self.data_dir} was started but does not answer: {error}") from error
        except OSError as error:
            raise PostgresError(
                f"The database in {self.data_dir} cannot be used: {error.strerror or error} ({error.filename})."
            ) from error
        return self.url()

    def stop(self) -> None:
        """Stop the server: transactions under way are rolled back, everything committed is on disk."""
        if self.pid() is None:
            return
        installation, account = choose_installation(self.data_dir), Account.for_directory(self.data_dir)
        command = [*account.prefix(installation.directory, self.data_dir), str(installation.directory / "pg_ctl")]
        for mode in ("fast", "immediate"):
            stopped = run_program([*command, "stop", "-w", "-t", "30", "-m", mode, "-D", str(self.data_dir)])
            if stopped.returncode == 0 or self.pid() is None:
                return
        raise PostgresError(f"PostgreSQL in {self.data_dir} does not stop: {stopped.stderr.strip()}")

    def url(self, database: str = NAME, role: str = NAME) -> str:
        """The SQLAlchemy URL of a database of the running server."""
        query = {"host": str(self._socket_dir()), "port": str(PORT)}
        return URL.create("postgresql+psycopg", username=role, database=database, query=query).render_as_string()

    def pid(self) -> int | None:
        """The number of the server process that runs on this data, or None.

        The file may be left over from a killed server, and its number taken by another process since.
        """
        lines = self._pid_file_lines()
        if not lines:
            return None
        pid = int(lines[0])
        if not Path("/proc/self").exists():
            return pid if _is_alive(pid) else None
        return pid if self.is_server(pid) else None

    def is_server(self, pid: int) -> bool:
        """Whether the process of this number is the server of this data."""
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return False
        return os.fsencode(self.data_dir) in arguments

    def has_data(self) -> bool:
        """Whether the data directory is there."""
        return (self.data_dir / "PG_VERSION").exists()

    def answers(self) -> bool:
        """Whether the server says something at its address, be it that it is not ready yet."""
        try:
            psycopg.connect(
                host=str(self._socket_dir()), port=PORT, user=NAME, dbname=NAME, connect_timeout=ANSWERS_WITHIN_SECONDS
            ).close()
        except psycopg.Error as error:
            return "FATAL" in str(error)
        return True

    def end(self) -> None:
        """End a server that may not listen any more. What is committed stays."""
        pid, until = self.pid(), time.monotonic() + ENDS_SECONDS
        if pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # what it calls a fast shutdown
            while self.pid() == pid and time.monotonic() < until:
                time.sleep(0.1)
            if self.pid() == pid:
                os.kill(pid, signal.SIGKILL)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off a second start on the same data until the first has come to its end."""
        with self.data_dir.with_name(self.data_dir.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _create(self, installation: Installation, account: Account) -> None:
        """Make the data directory, beside its place and moved there whole: a killed initdb leaves no half of one."""
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise PostgresError(
                f"{self.data_dir} holds files but is not a data directory of PostgreSQL. Move them away."
            )
        unfinished = self.data_dir.with_name(self.data_dir.name + ".new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        account.own(unfinished)
        # C.UTF-8: characters are known as letters (full-text search needs that), and the order never changes with
        # the machine's libraries.
        modern = installation.major >= 17
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] if modern else ["--locale=C.UTF-8"]
        )
        made = run_program(
            [
                *account.prefix(installation.directory, unfinished),
                *(str(installation.directory / "initdb"), "-D", str(unfinished), "-U", SUPERUSER),
                *(["--no-sync"] if self._fast else []),
                *("--encoding=UTF8", "--auth-local=trust", "--auth-host=reject", *locale),
            ]
        )
        if made.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise PostgresError(_explain(f"The database cannot be created in {self.data_dir}", made.stderr))
        unfinished.rename(self.data_dir)

    def _socket_dir(self) -> Path:
        """Return the folder of the running server's socket, or else of the next one's."""
        lines = self._pid_file_lines()
        if len(lines) > 4 and lines[4].strip():
            return Path(lines[4].strip())
        wanted = (self._wanted_socket_dir or self.data_dir).resolve()
        if len(os.fsencode(wanted / f".s.PGSQL.{PORT}.lock")) <= LONGEST_SOCKET_PATH:
            return wanted
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"cordillera-{digest}"

    def _make_socket_dir(self, account: Account) -> Path:
        directory = self._socket_dir()
        if directory == self.data_dir:
            return directory
        try:
            directory.mkdir(mode=0o700, parents=True)
            account.own(directory)
        except FileExistsError:
            # Somebody else may have put it there, in /tmp above all.
            status = directory.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or status.st_mode & 0o077:
                raise PostgresError(
                    f"{directory} is not a directory of the server's own with mode 0700. Remove it."
                ) from None
        return directory

    def _clear_socket_lock(self, directory: Path) -> None:
        """Remove the lock that a killed server of this data left. PostgreSQL takes its owner for alive where the number
        went to another process, or where nobody reaps the dead, as in many a container.
        """
        lock = directory / f".s.PGSQL.{PORT}.lock"
        if lock.exists() and lock.read_text().splitlines()[1:2] == [str(self.data_dir)]:
            lock.unlink()

    def _run(self, installation: Installation, account: Account) -> None:
        """Bring the server to the state of answering, waiting for the remains of a killed one to go away."""
        until = time.monotonic() + START_SECONDS
        while True:
            if self.pid() is not None:
                if self._pid_file_lines()[7:8] and self._pid_file_lines()[7].strip() == "ready":
                    return
                problem = "it neither starts nor stops"
            else:
                started = self._start_once(installation, account)
                problem = started.stderr + _tail(self.log)
                if started.returncode == 0:
                    return
                # Sessions of a killed server need a moment to notice.
                if "shared memory block" not in problem and self.pid() is None:
                    kind = PostgresError if _says_why(problem) else EndedWhileStarting
                    raise kind(_explain(f"PostgreSQL does not start in {self.data_dir}", problem))
            if time.monotonic() > until:
                raise PostgresError(_explain(f"PostgreSQL does not start in {self.data_dir}", problem))
            time.sleep(0.3)

    def _start_once(self, installation: Installation, account: Account) -> subprocess.CompletedProcess[str]:
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)
        socket_dir = self._make_socket_dir(account)
        self._clear_socket_lock(socket_dir)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch(mode=0o600)
        account.own(self.log)
        settings = self._settings | {"unix_socket_directories": str(socket_dir)}
        options = shlex.join(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        pg_ctl = str(installation.directory / "pg_ctl")
        return run_program(
            [
                *account.prefix(installation.directory, self.data_dir, socket_dir, self.log.parent),
                *(pg_ctl, "start", "-w", "-t", str(START_SECONDS), "-D", str(self.data_dir)),
                *("-l", str(self.log), "-o", options),
            ]
        )

    def _ensure_database(self) -> None:
        """Make the role and the database that the application uses: an ordinary role, as on anybody's server."""
        name = sql.Identifier(NAME)
        socket_dir = str(self._socket_dir())
        with psycopg.connect(
            host=socket_dir, port=PORT, user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(name))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))


def _says_why(output: str) -> bool:
    """Whether a server has stopped by itself: it says why then, and not only that its sessions end or have to wait."""
    of_sessions = ("terminating connection", "the database system is")
    return any("FATAL" in line and not any(words in line for words in of_sessions) for line in output.splitlines())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _tail(log: Path, lines: int = 8) -> str:
    try:
        return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _explain(what: str, output: str) -> str:
    """One sentence on what failed, with the cause where it is a common one, and what the server said."""
    causes = {
        "No space left on device": "the disk is full; make room and start again",
        "Permission denied": "a file or directory may not be read or written; look at the owners in it",
        "Read-only file system": "the file system is read-only",
    }
    cause = next((text for sign, text in causes.items() if sign in output), "it said")
    return f"{what}: {cause}.\n{output.strip()}"
