"""Load of one request over and over: by wrk where the machine has it, by threads of our own where it has not."""

from __future__ import annotations

import http.client
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figures import Load

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def have_wrk() -> bool:
    """Whether there is a wrk, installed from Debian's package where this may be done."""
    if shutil.which("wrk"):
        return True
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing wrk, the load generator")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for step in ("update", "install --yes --no-install-recommends wrk"):
            subprocess.run(["apt-get", "-qq", *step.split()], check=False, capture_output=True, env=environment)
    return shutil.which("wrk") is not None


def send(request: Request, seconds: float, connections: int) -> Load:
    """Send the request for some seconds over connections that are kept."""
    if shutil.which("wrk"):
        return _by_wrk(request, seconds, connections)
    # In a process of its own, so that it is not the generator's lock that is measured.
    order = json.dumps({"request": asdict(request), "seconds": seconds, "connections": connections})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"], input=order, capture_output=True, text=True, check=True
    )
    return Load(**json.loads(done.stdout))


def _by_wrk(request: Request, seconds: float, connections: int) -> Load:
    headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
    done = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "10s",
            "-s",
            str(SCRIPT),
            request.url,
        ],
        env=os.environ | {"METHOD": request.method, "BODY": request.body, "HEADERS": headers},
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.rpartition("FIGURES ")[2])
    answered = said["requests"] - said["refused"]
    return Load(answered, said["seconds"], said["refused"] + said["broken"], said["p50_ms"], said["p99_ms"])


def by_threads(request: Request, seconds: float, connections: int) -> Load:
    """Load made with the standard library: slower than wrk, so the rates it reaches say less."""
    latencies: list[float] = []
    failures: list[int] = []
    began = time.monotonic()

    def keep_sending() -> None:
        parts = urlsplit(request.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        while time.monotonic() < began + seconds:
            sent = time.perf_counter()
            try:
                connection.request(request.method, target, request.body or None, dict(request.headers))
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                failures.append(1)
                connection.close()
                continue
            if answer.status < 400:
                latencies.append(1000 * (time.perf_counter() - sent))
            else:
                failures.append(1)

    threads = [threading.Thread(target=keep_sending) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load.of_latencies(latencies, time.monotonic() - began, len(failures))


def _main() -> None:
    order = json.load(sys.stdin)
    found = by_threads(Request(**order["request"]), order["seconds"], order["connections"])
    print(json.dumps({name: None if math.isnan(value) else value for name, value in asdict(found).items()}))


if __name__ == "__main__":
    _main()
