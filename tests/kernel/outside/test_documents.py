"""The document store: whole or not at all, within its limit, checked on the way out, swept."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from kernel.base import clock
from kernel.base.errors import BadRequest, OutOfSpace, TooLarge
from kernel.base.settings import Settings
from kernel.outside.documents import DOCUMENTS, READ_BYTES, DocumentDamaged, DocumentStore, open_store

MEGABYTE = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return open_store(Settings(data_dir=tmp_path))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def chunks(total: int, size: int = READ_BYTES) -> Iterator[bytes]:
    while total > 0:
        yield b"x" * min(size, total)
        total -= size


@pytest.mark.parametrize("size", [0, 1, READ_BYTES, READ_BYTES + 1, 12 * MEGABYTE + 3])
def test_a_document_comes_back_as_it_went_in(store: DocumentStore, size: int) -> None:
    stored = store.store(chunks(size), 20 * MEGABYTE, folder="letters")
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(b"x" * size).hexdigest())
    assert b"".join(store.open(stored.key, stored.sha256)) == b"x" * size


def test_a_document_is_never_whole_in_memory(store: DocumentStore) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stored = store.store(chunks(200 * MEGABYTE), 200 * MEGABYTE, folder="letters")
    for _chunk in store.open(stored.key, stored.sha256):
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80 * 1024  # kilobytes


def test_beyond_the_limit_nothing_is_stored(store: DocumentStore, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        store.store(chunks(7 * MEGABYTE), 6 * MEGABYTE, folder="letters")
    assert files(tmp_path) == []


def test_an_upload_that_breaks_off_stores_nothing(store: DocumentStore, tmp_path: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield from chunks(7 * MEGABYTE)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.store(breaks_off(), 20 * MEGABYTE, folder="letters")
    with pytest.raises(BadRequest):
        store.store(chunks(10), 20, folder="letters", expected_size=11)
    assert files(tmp_path) == []


def test_a_damaged_document_never_arrives_complete(store: DocumentStore, tmp_path: Path) -> None:
    stored = store.store(chunks(3 * MEGABYTE), 20 * MEGABYTE, folder="letters")
    path = tmp_path / "documents" / stored.key
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)
    arrived: list[bytes] = []
    with pytest.raises(DocumentDamaged):
        arrived.extend(store.open(stored.key, stored.sha256))
    assert sum(map(len, arrived)) < stored.size


def test_a_missing_document_is_a_problem_of_ours(store: DocumentStore) -> None:
    with pytest.raises(DocumentDamaged):
        next(store.open("letters/none", ""))


FILL = """
import resource, sys
from pathlib import Path
from kernel.outside.documents import open_store
from kernel.base.errors import OutOfSpace
from kernel.base.settings import Settings
if sys.argv[2] == "limited":
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
store = open_store(Settings(data_dir=Path(sys.argv[1])))
for size in (1_000_000, 8_000_000):
    try:
        store.store((b"x" * 100_000 for _ in range(size // 100_000)), 2**30, folder="letters")
    except OutOfSpace:
        print("out of space", size)
"""


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_a_file_that_may_not_grow_is_out_of_space(tmp_path: Path) -> None:
    assert run(FILL, str(tmp_path), "limited").split("\n")[0] == "out of space 8000000"
    assert [path.stat().st_size for path in files(tmp_path)] == [1_000_000]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or not Path("/usr/bin/mount").exists():
        pytest.skip("only root mounts a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], check=False).returncode:
        pytest.skip("this machine mounts nothing")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_out_of_space_and_keeps_what_it_had(small_disk: Path) -> None:
    assert run(FILL, str(small_disk), "whole").split("\n")[0] == "out of space 8000000"
    assert [path.stat().st_size for path in files(small_disk)] == [1_000_000]


HANG = """
import sys, time
from pathlib import Path
from kernel.outside.documents import open_store
from kernel.base.settings import Settings
def endless():
    while True:
        yield b"x" * 1_000_000
        print("more", flush=True)
        time.sleep(0.05)
open_store(Settings(data_dir=Path(sys.argv[1]))).store(endless(), 2**40, folder="letters")
"""


def test_a_process_killed_in_mid_upload_leaves_nothing_visible(store: DocumentStore, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANG, str(tmp_path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _line in range(15):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert [path for path in files(tmp_path) if "#" not in path.name] == []
    assert store.sweep("letters", lambda keys: set()) == 0
    with clock.shifted(timedelta(days=2)):
        store.sweep("letters", lambda keys: set())
    assert files(tmp_path) == []


def test_orphans_are_swept_after_a_day(store: DocumentStore, tmp_path: Path) -> None:
    kept, orphan = (store.store(chunks(10), 20, folder="letters") for _each in range(2))
    elsewhere = store.store(chunks(10), 20, folder="photos")
    known = {kept.key}
    assert store.sweep("letters", lambda keys: known & set(keys)) == 0
    for each in files(tmp_path):
        os.utime(each, (time.time() - 100_000,) * 2)
    assert store.sweep("letters", lambda keys: known & set(keys)) == 1
    assert {path.name for path in files(tmp_path)} == {one.key.rpartition("/")[2] for one in (kept, elsewhere)}
    assert orphan.key not in {kept.key, elsewhere.key}


def test_the_application_opens_its_store(app: Flask) -> None:
    assert isinstance(DOCUMENTS.of(app), DocumentStore)


def test_running_out_of_space_is_told_as_such() -> None:
    assert OutOfSpace.status == 507
