"""Calls that wait for others take a part of the threads, and give back what they took."""

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from obstore.store import LocalStore
from prometheus_client import REGISTRY

from kernel.base.errors import BadGateway, Problem
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings, SettingsError, load
from kernel.outside import outbound
from kernel.outside.bulkheads import (
    Bulkhead,
    DestinationSaturated,
    OutwardCallsSaturated,
    Place,
    Saturated,
    outward_calls,
)
from kernel.outside.documents import DocumentStore

pytestmark = pytest.mark.slow

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


def a_bulkhead() -> Bulkhead:
    return Bulkhead(places=4, of_a_kind=3, for_one=2)


def test_one_destination_gets_a_share_and_the_next_is_told_so() -> None:
    bulkhead = a_bulkhead()
    held = [bulkhead.take("gateway", "slow:443") for _ in range(2)]
    with pytest.raises(DestinationSaturated) as refused:
        bulkhead.take("gateway", "slow:443")
    assert int(refused.value.headers["Retry-After"]) > 0
    with bulkhead.take("gateway", "other:443"):
        held[0].release()
        bulkhead.take("gateway", "slow:443").release()


def test_one_kind_of_call_leaves_places_to_the_others() -> None:
    bulkhead = a_bulkhead()
    held = [bulkhead.take("gateway", f"slow-{number}:443") for number in range(3)]
    with pytest.raises(OutwardCallsSaturated):
        bulkhead.take("gateway", "slow-4:443")
    held.append(bulkhead.take("look-up", "keys:443"))
    with pytest.raises(OutwardCallsSaturated):
        bulkhead.take("look-up", "others:443")


def test_a_place_is_given_back_once_however_often_it_is_released() -> None:
    bulkhead = a_bulkhead()
    first, second = bulkhead.take("gateway", "slow:443"), bulkhead.take("gateway", "slow:443")
    for _ in range(3):
        first.release()
    with bulkhead.take("gateway", "slow:443"), pytest.raises(DestinationSaturated):
        bulkhead.take("gateway", "slow:443")
    second.release()


def test_a_place_that_is_forgotten_is_free_again() -> None:
    bulkhead = a_bulkhead()
    for _ in range(10):
        bulkhead.take("gateway", "slow:443")
    gc.collect()
    bulkhead.take("gateway", "slow:443").release()


def test_a_place_that_is_released_as_it_is_forgotten_is_given_back_once() -> None:
    bulkhead = a_bulkhead()

    class Answer:
        """Closes itself as it goes, as a generator does; and goes together with its place, in a circle."""

        def __init__(self, place: Place) -> None:
            self.place, self.itself = place, self

        def __del__(self) -> None:
            self.place.release()

    for _ in range(10):
        Answer(bulkhead.take("gateway", "slow:443"))
        gc.collect()
    held = bulkhead.take("gateway", "slow:443")
    with bulkhead.take("gateway", "slow:443"), pytest.raises(DestinationSaturated):
        bulkhead.take("gateway", "slow:443")
    held.release()


def test_places_taken_and_released_by_many_threads_at_once_are_all_free_in_the_end() -> None:
    bulkhead = a_bulkhead()

    def wait_often() -> None:
        for number in range(300):
            with suppress(Problem), bulkhead.take("gateway", f"{number % 3}:443"):
                pass

    threads = [threading.Thread(target=wait_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [bulkhead.take("gateway", f"{number}:443") for number in range(3)]
    assert len(held) == 3


Answering = Callable[[bytes], str]


@pytest.fixture
def provider() -> Iterator[Answering]:
    """A provider's address for each way to answer: it sends these bytes and closes, nothing where it stays silent."""
    servers, connections = [], []

    def serve(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def take_all() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    if answer:
                        connection.recv(65_536)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=take_all, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield serve
    for each in (*servers, *connections):
        each.close()


def an_installation(address: str) -> Flask:
    app = Flask("bulkheads")
    SETTINGS.fill(app, replace(Settings(), outbound_allowed=frozenset({address})))
    return app


def places_left(address: str) -> int:
    held = []
    with suppress(Problem):
        while True:
            held.append(outward_calls().take("gateway", address))
    return len(held)


def test_a_call_holds_its_place_until_its_answer_is_closed(provider: Answering) -> None:
    address = provider(HEAD + b"x" * 100)
    with an_installation(address).app_context():
        free = places_left(address)
        answer = outbound.send("GET", f"http://{address}/")
        assert places_left(address) == free - 1
        assert len(outbound.read(answer, 1_000)) == 100
        assert places_left(address) == free
        answer.close()
        assert places_left(address) == free


def test_an_answer_that_nobody_reads_gives_its_place_back(provider: Answering) -> None:
    address = provider(HEAD + b"x" * 100)
    with an_installation(address).app_context():
        free = places_left(address)
        outbound.send("GET", f"http://{address}/").close()
        outbound.send("GET", f"http://{address}/")  # not even closed
        gc.collect()
        assert places_left(address) == free


def test_a_reader_that_goes_away_gives_the_place_back(provider: Answering) -> None:
    address = provider(HEAD + b"x" * 100)
    with an_installation(address).app_context():
        free = places_left(address)
        pieces = outbound.chunks(outbound.send("GET", f"http://{address}/"), 1_000)
        assert next(pieces)
        pieces.close()  # type: ignore[attr-defined]  # it is a generator
        assert places_left(address) == free


@pytest.mark.parametrize("answer", [HEAD, HEAD + b"half", b"nonsense\r\n\r\n"])
def test_a_provider_that_breaks_off_gives_the_place_back(provider: Answering, answer: bytes) -> None:
    address = provider(answer)
    with an_installation(address).app_context():
        free = places_left(address)
        with pytest.raises(BadGateway):
            outbound.read(outbound.send("GET", f"http://{address}/"), 1_000)
        assert places_left(address) == free


def test_a_silent_provider_keeps_its_share_of_the_threads_and_the_rest_are_told_at_once(provider: Answering) -> None:
    address, other = provider(b""), provider(HEAD + b"x" * 100)
    app, outcomes = an_installation(address), []
    settings = SETTINGS.of(app)
    object.__setattr__(settings, "outbound_allowed", frozenset({address, other}))

    def call() -> None:
        with app.app_context():
            try:
                outbound.send("GET", f"http://{address}/")
            except Problem as problem:
                outcomes.append(type(problem))

    for _ in range(40):
        threading.Thread(target=call, daemon=True).start()
    refused = 40 - settings.outward_calls * settings.destination_percent // 100
    until = time.monotonic() + 20
    while len(outcomes) < refused:
        assert time.monotonic() < until, outcomes
        time.sleep(0.01)
    assert outcomes == [DestinationSaturated] * refused
    with app.app_context():
        assert len(outbound.read(outbound.send("GET", f"http://{other}/"), 1_000)) == 100


def test_a_document_from_a_store_elsewhere_holds_a_place_while_it_is_read(tmp_path: Path) -> None:
    store = DocumentStore(LocalStore(prefix=tmp_path))
    with an_installation("127.0.0.1:1").app_context():
        free = places_left("x")
        stored = store.store([b"x" * 1_000_000], 2_000_000, folder="documents")
        assert places_left("x") == free
        for is_read in (True, False):
            held = [store.open(stored.key, stored.sha256) for _ in range(free)]
            assert places_left("x") < free
            with pytest.raises(Saturated):
                store.open(stored.key, stored.sha256)
            if is_read:
                assert [sum(len(chunk) for chunk in each) for each in held] == [1_000_000] * free
            del held
            gc.collect()
            assert places_left("x") == free


def test_who_waits_and_who_was_refused_is_in_the_metrics() -> None:
    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    bulkhead, kind = Bulkhead(places=1, of_a_kind=2, for_one=2), "test of metrics"
    place = bulkhead.take(kind, "one:443")
    assert value("cordillera_waiting", kind=kind) == 1
    for _ in range(2):
        with pytest.raises(Saturated):
            bulkhead.take(kind, "other:443")
    assert value("cordillera_waiting_refused_total", kind=kind, limit="process") == 2
    place.release()
    assert value("cordillera_waiting", kind=kind) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("WEB_THREADS", "3"), ("OUTWARD_PERCENT", "5"), ("OUTWARD_PERCENT", "90"), ("DESTINATION_PERCENT", "101")],
)
def test_a_share_that_leaves_nothing_to_somebody_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", "postgresql://user@host/name")
    monkeypatch.setenv(f"CORDILLERA_{name}", value)
    with pytest.raises(SettingsError, match=f"CORDILLERA_{name}"):
        load()
