"""Processes of this machine: what a tree of them has used, and how one is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 15
SETTLED_SECONDS = 0.5


class DidNotStart(Exception):
    """A server does not answer; the message has the end of its log."""


def cpu_seconds(roots: Iterable[int]) -> float:
    """CPU used so far by the processes and all below them, ended children included."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(entry)):
            parents[int(entry.name)] = int(fields[1])
            used[int(entry.name)] = sum(int(ticks) for ticks in fields[11:15])
    counted = {root for root in roots if root in used}
    while below := {pid for pid, parent in parents.items() if parent in counted and pid not in counted}:
        counted |= below
    return sum(used[pid] for pid in counted) / TICKS


def settle(roots: Iterable[int], seconds: float = 20) -> None:
    """Wait until the processes have done what they still had to do: they use less than a tenth of a core."""
    roots, until = list(roots), time.monotonic() + seconds
    used = cpu_seconds(roots)
    while time.monotonic() < until:
        time.sleep(SETTLED_SECONDS)
        before, used = used, cpu_seconds(roots)
        if used - before < SETTLED_SECONDS / 10:
            return


def _stat(entry: Path) -> list[str]:
    """proc(5): the fields of `stat` after the command's name, which may hold anything; empty for one just ended."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_answering(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Return when the URL answers anything at all. Raises DidNotStart."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    tail = log.read_text(errors="replace")[-1500:] if log.exists() else ""
    raise DidNotStart(f"{url} does not answer: {tail}")


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
