"""Keys are rotated by the command while people sign in over HTTP: no sign-in fails, no signature is not verified."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from builders.balancer import balancing
from builders.clients import CALLBACK, a_client, a_system
from builders.identity import a_person, an_agency
from builders.rotations import Load
from builders.server import a_node, environment_of, two_workers
from flask import Flask
from walking import Installation, free_address, wait_until_ready

from identity.clients.registry.actions import NewClient
from kernel.base.settings import Settings

ROTATIONS = 2
IMPATIENT = "builders.impatient_keys:application()"


@dataclass
class Everybody:
    """Askers for tokens: people at an application, and a system."""

    runs: list[str]
    made: NewClient
    system: NewClient


@pytest.fixture
def everybody(app: Flask) -> Everybody:
    with app.app_context():
        an_agency("AE001")
        runs = [str(a_person(is_test_person=True).run) for _ in range(3)]
        return Everybody(runs, a_client("standard", redirect_uris=[CALLBACK]), a_system())


@pytest.fixture
def served(app: Flask, settings: Settings) -> Iterator[Installation]:
    """Two gunicorn workers that look at the keys often."""
    with two_workers(settings, free_address(), IMPATIENT) as installation:
        yield installation


def test_nobody_notices_that_keys_are_rotated_by_command(everybody: Everybody, served: Installation) -> None:
    load = Load(served)
    load.while_keys_rotate(everybody.made, everybody.runs, everybody.system, ROTATIONS)
    assert len(load.signed_by) == ROTATIONS + 1
    assert load.done > 20


def test_nodes_with_disks_of_their_own_rotate_keys_and_nobody_notices(
    everybody: Everybody, settings: Settings, tmp_path: Path
) -> None:
    """Two nodes behind a balancer share nothing but the database, and the command runs on a third machine."""
    base_url, nodes = free_address(), [free_address(), free_address()]
    with ExitStack() as running:
        for number, address in enumerate(nodes):
            disk = replace(settings, data_dir=tmp_path / f"node-{number}")
            running.enter_context(a_node(disk, base_url, IMPATIENT, workers=1, address=address))
        for address in nodes:
            wait_until_ready(f"{address}/health/ready")
        balancer = running.enter_context(balancing(base_url, nodes))
        operator = operating(replace(settings, data_dir=tmp_path / "operator"), base_url)
        load = Load(operator, nodes)
        load.while_keys_rotate(everybody.made, everybody.runs, everybody.system, ROTATIONS)
    assert len(load.signed_by) == ROTATIONS + 1
    assert load.done > 20
    assert min(balancer.values()) > 1
    assert not list(tmp_path.rglob("*.key"))


def operating(settings: Settings, base_url: str) -> Installation:
    """A machine for commands."""
    return Installation(base_url, "", "", settings.data_dir, environment_of(settings, base_url))
