"""A process that has answered nothing but direct requests hears at once that a client has changed."""

from collections.abc import Iterator

import httpx2
import psycopg
import pytest
from builders.clients import a_system, basic
from builders.server import a_node
from builders.waiting import wait_until
from flask import Flask
from walking import Installation, free_address, wait_until_listening

from identity.clients.registry.actions import NewClient
from kernel.base.settings import Settings


@pytest.fixture
def system(app: Flask) -> NewClient:
    with app.app_context():
        return a_system()


@pytest.fixture
def served(settings: Settings, system: NewClient) -> Iterator[Installation]:
    """One worker that has not been asked anything, and that forgets nothing unless it is told to."""
    with a_node(settings, free_address(), "builders.long_memory:application()", workers=1) as installation:
        wait_until_listening(installation.base_url)
        yield installation


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def test_a_client_revoked_elsewhere_gets_no_token_of_a_process_that_served_only_direct_requests(
    served: Installation, system: NewClient, elsewhere: psycopg.Connection
) -> None:
    def status() -> int:
        secret = basic(system.client.client_id, system.secret)
        form = {"grant_type": "client_credentials"}
        return httpx2.post(f"{served.base_url}/openid/token", data=form, headers=secret, timeout=60).status_code

    assert status() == 200
    assert status() == 200
    elsewhere.execute("UPDATE client SET revoked_at = now() WHERE client_id = %s", [system.client.client_id])
    wait_until(lambda: status() == 401)
