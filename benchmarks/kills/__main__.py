"""`make kills`: kill every kind of process at random instants under load, and count what was lost or doubled.

    python -m benchmarks.kills [--kills 100] [--seed N] [--port 8400] [--folder F]

It starts an installation of its own, lets clients write letters, make agreements, call services and sign in, and kills
web workers, their master and its orphans, job workers, database sessions (those that seal, too) and the database, or
freezes them. Then it compares what the clients were told with what there is. Exit code 1 if anything was lost, doubled,
or answered with a bare 500.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from benchmarks.kills.trial import Trial


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**6)
    print(f"seed {seed}: {asked.kills} kills", flush=True)
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as temporary:
        folder = asked.folder or Path(temporary)
        faults = Trial(folder, asked.port, seed, say=lambda text: print(text, flush=True)).run(asked.kills)
    for fault in faults:
        print(f"  {fault}")
    print(f"seed {seed}: {len(faults)} lost, doubled or broken", flush=True)
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, help="the same chances as in an earlier run")
    parser.add_argument("--port", type=int, default=8400, help="and the two above it")
    parser.add_argument("--folder", type=Path, help="where its data and logs stay; else they are removed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
