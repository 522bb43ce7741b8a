"""Cordillera as it is deployed: audit, throttling, replay checks, metrics and the request log on, behind a proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.peer import PASSWORD, PERSONS, REDIRECT_URI, Credentials, Place, Running, discovered, run, serve
from kernel.database import migrate

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


class Ours:
    """The worker that seals the audit runs beside the server, and its CPU counts."""

    name = "cordillera"
    about = "ours: gunicorn gthread with 2 workers, a worker that seals, everything on"
    application = "wsgi:app"
    has_cheap_hash = False

    def install(self, folder: Path) -> None:
        """It is installed: the bench runs in its environment."""

    def start(self, place: Place) -> Running:
        data = place.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        (data / "metrics").mkdir(parents=True)
        environment = {
            "CORDILLERA_ENVIRONMENT": "development",
            "CORDILLERA_DATABASE_URL": place.database.url,
            "CORDILLERA_DATA_DIR": str(data),
            "CORDILLERA_BASE_URL": place.address,
            # Each browser's address comes in a header, as behind a proxy: throttling is by address and stays on.
            "CORDILLERA_TRUSTED_PROXIES": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(data / "metrics"),
        }
        migrate.upgrade(place.database.url)
        options = {"persons": PERSONS, "password": PASSWORD, "redirect_uri": REDIRECT_URI}
        told = json.dumps([options, self.has_cheap_hash])
        said = run([sys.executable, "-m", "benchmarks.peers.servers.seed_cordillera", told], ROOT, **environment)
        seeded = json.loads(said.splitlines()[-1])
        configuration = ROOT / "platform/portal/gunicorn_config.py"
        command: list[str | Path] = [
            *(BIN / "gunicorn", "-c", configuration, "--chdir", ROOT),
            *("--bind", f"127.0.0.1:{place.port}", "--workers", "2", self.application),
        ]
        server = serve(place, command, f"{place.address}/health/ready", **environment)
        worker = self._worker(place, environment)
        endpoints = discovered(f"{place.address}/openid/.well-known/openid-configuration")
        return Running(
            [server, worker],
            endpoints,
            application=Credentials(*seeded["application"]),
            system=Credentials(*seeded["system"]),
            users=seeded["runs"],
            scope="openid run name email",
            system_form={"client credentials": {}, "client credentials, JWT": {}},
        )

    def _worker(self, place: Place, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (place.folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [BIN / "cordillera", "worker"],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


class OursWithACheapHash(Ours):
    """To see what a sign-in costs beside the hash: under load the hash's own cost is not steady enough to take off."""

    name = "cordillera-cheap-hash"
    about = "ours, with a password hash that costs nothing, for what a password login costs beside it"
    application = "benchmarks.peers.servers.cheap_hash:application()"
    has_cheap_hash = True

    def start(self, place: Place) -> Running:
        return replace(super().start(place), only="password login")
