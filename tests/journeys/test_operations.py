"""Promises to an operator while the house runs with several processes."""

import os
import re
import signal
import subprocess
import time
import urllib.request

from walking import Installation, wait_until_ready


def requests_counted(installation: Installation, endpoint: str) -> float:
    with urllib.request.urlopen(f"{installation.base_url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(rf'^cordillera_requests_total{{endpoint="{endpoint}".*}} ([\d.]+)$', text, re.MULTILINE)
    return sum(float(count) for count in found)


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def test_the_figures_of_every_process_are_one_sum(installation: Installation) -> None:
    before = requests_counted(installation, "live")
    for _ in range(30):
        urllib.request.urlopen(f"{installation.base_url}/health/live", timeout=10).close()
    assert requests_counted(installation, "live") == before + 30


def test_a_killed_process_is_replaced_and_nobody_notices_for_long(installation: Installation) -> None:
    master = installation.processes[0].pid
    workers = children_of(master)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_until_ready(f"{installation.base_url}/health/ready")
    until = time.monotonic() + 30
    while len(set(children_of(master)) - {workers[0]}) < 2:
        assert time.monotonic() < until, "the process was not replaced"
        time.sleep(0.2)


def test_what_was_done_stays_verifiable(installation: Installation) -> None:
    assert "holds" in installation.cli("audit", "verify")
    installation.cli("evidence", "audit")
