"""`make bench`: ourselves and the peers, in turns, on this machine under the same load.

    python -m benchmarks.run [--quick] [--rounds 3] [--only cordillera,control] [--work "userinfo;password login"]

Prints a table and writes `var/bench/results.json`. The server's CPU for each request is what to compare: requests a
second move with whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from argon2 import PasswordHasher
from joserfc.jwk import ECKey, RSAKey

from benchmarks import load
from benchmarks.database import Server
from benchmarks.figures import Figures
from benchmarks.peers import PEERS
from benchmarks.peers.peer import ARGON2, NotInstalled, Peer, Place, Running
from benchmarks.processes import DidNotStart, free_port, stop
from benchmarks.table import show
from benchmarks.workloads import WORKLOADS, Effort, measure_all

FOLDER = Path(__file__).resolve().parents[1] / "var" / "bench"
ALSO_CALLED = {"ours": "cordillera", "dot": "django-oauth-toolkit"}
Results = dict[str, dict[str, Figures | str]]


def main() -> int:
    asked = _arguments()
    wanted = [ALSO_CALLED.get(name, name) for name in asked.only.split(",") if name]
    if unknown := set(wanted) - {peer.name for peer in PEERS}:
        print(f"No such peer: {', '.join(unknown)}. There are {', '.join(peer.name for peer in PEERS)}.")
        return 2
    if not load.have_wrk():
        print(
            "There is no wrk here (on Debian: apt install wrk): threads of Python make the load, and the rates are low"
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    keys = _keys(FOLDER / "keys.json")
    server = Server(FOLDER)
    server.start()
    started: dict[str, Running] = {}
    try:
        for peer in PEERS:
            if (not wanted or peer.name in wanted) and (running := start(peer, server, keys)) is not None:
                started[peer.name] = running
        works = asked.work.split(";") if asked.work else WORKLOADS
        rounds = measure(started, server, Effort(2 if asked.quick else asked.seconds), works, asked.rounds)
        hash_ms = cost_of_a_hash()  # right after the logins, which are measured last
    finally:
        for running in started.values():
            for process in running.processes:
                stop(process)
        server.stop()
    results = middle(rounds)
    show(results, rounds, hash_ms)
    print(f"One hash (argon2id, 19 MiB, t=2, p=1) costs {hash_ms:.1f} ms of CPU here.")
    write(results, hash_ms)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure ourselves beside the peers.")
    parser.add_argument("--quick", action="store_true", help="two seconds for each workload")
    parser.add_argument("--seconds", type=float, default=6, help="for each workload (6)")
    parser.add_argument("--rounds", type=int, default=1, help="measure all so often, and take the middle by CPU (1)")
    parser.add_argument("--only", default="", help="names of peers, separated by commas")
    parser.add_argument("--work", default="", help="names of workloads, separated by semicolons")
    return parser.parse_args()


def start(peer: Peer, server: Server, keys: Path) -> Running | None:
    """The peer, with an empty database of its own; None, and a word, where something is missing."""
    folder = FOLDER / peer.name
    folder.mkdir(exist_ok=True)
    print(f"{peer.name}: {peer.about}", flush=True)
    try:
        peer.install(folder)
        return peer.start(Place(folder, free_port(), server.empty_database(f"bench {peer.name}"), keys))
    except (NotInstalled, DidNotStart) as error:
        print(f"  missing: {error}")
        return None


def measure(
    started: Mapping[str, Running], server: Server, effort: Effort, works: Sequence[str], times: int
) -> Sequence[Results]:
    """All peers at one work, then all at the next: what is compared is measured within a minute.

    No two minutes are alike on cores that others use too. Every other time the order is turned round.
    """
    rounds: list[Results] = [{peer: {} for peer in started} for _ in range(times)]
    for work in works:
        print(work, flush=True)
        for number, results in enumerate(rounds):
            for peer, running in list(started.items())[:: -1 if number % 2 else 1]:
                for _, figures in measure_all(running, server.pid, effort, [work]):
                    results[peer][work] = figures
                    print(f"  {peer}: {_in_words(figures)}", flush=True)
    return rounds


def _in_words(figures: Figures | str) -> str:
    return figures if isinstance(figures, str) else f"{figures.per_second:.0f}/s, {figures.cpu_ms:.2f} ms of CPU"


def middle(rounds: Sequence[Results]) -> Results:
    """Of each peer at each work the figures of the round in the middle by CPU; a failure where every round failed."""
    found: Results = {}
    for peer in rounds[0]:
        for work in dict.fromkeys(work for results in rounds for work in results[peer]):
            told = [results[peer][work] for results in rounds if work in results[peer]]
            figures = sorted((one for one in told if isinstance(one, Figures)), key=lambda one: one.cpu_ms)
            found.setdefault(peer, {})[work] = figures[len(figures) // 2] if figures else told[0]
    return found


def cost_of_a_hash(times: int = 20) -> float:
    """Milliseconds of CPU for one verification, with as many at once as there are cores, as under load."""
    hasher = PasswordHasher(**ARGON2)
    kept = hasher.hash("a password")
    began = time.process_time()
    cores = os.cpu_count() or 1
    verifying = [
        threading.Thread(target=lambda: [hasher.verify(kept, "a password") for _ in range(times)]) for _ in range(cores)
    ]
    for thread in verifying:
        thread.start()
    for thread in verifying:
        thread.join()
    return 1000 * (time.process_time() - began) / (times * cores)


def _keys(path: Path) -> Path:
    """An RSA and an EC key for the peers, as a JWK Set and the RSA one as PEM beside it; made once."""
    if not path.exists():
        rsa, ec = RSAKey.generate_key(2048), ECKey.generate_key("P-256")
        chosen: list[tuple[RSAKey | ECKey, str]] = [(rsa, "RS256"), (ec, "ES256")]
        keys = [{**key.as_dict(private=True), "alg": name, "use": "sig", "kid": name} for key, name in chosen]
        path.with_suffix(".pem").write_bytes(rsa.as_pem(private=True))
        path.write_text(json.dumps({"keys": keys}))
    return path


def write(results: Results, hash_ms: float) -> None:
    """Keep the figures for whoever wants to compare two runs."""
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "hash_ms": round(hash_ms, 2),
        "peers": {
            peer: {work: figures if isinstance(figures, str) else figures.as_json() for work, figures in found.items()}
            for peer, found in results.items()
        },
    }
    path = FOLDER / "results.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False))
    print(f"Written to {path}")


if __name__ == "__main__":
    sys.exit(main())
