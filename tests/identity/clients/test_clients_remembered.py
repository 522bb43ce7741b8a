"""Memory of a client is forgotten as soon as anybody changes it, and never kept for long unheard."""

from collections.abc import Iterator

import psycopg
import pytest
from builders.clients import a_client
from builders.databases import END_OTHER_CONNECTIONS
from builders.statements import counted
from builders.stopwatch import in_seconds
from builders.waiting import wait_until
from flask import Flask

from identity.clients.registry.actions import NewClient
from identity.clients.registry.queries import CLIENTS, known_client
from kernel.database.change_feed import CHANGE_FEED, LIFETIME_SECONDS, UNHEARD_LIFETIME_SECONDS, ChangeFeed
from kernel.database.db import ENGINE


@pytest.fixture
def made(app: Flask) -> NewClient:
    with app.app_context():
        return a_client("standard", name="As it was")


@pytest.fixture
def listening(app: Flask) -> Iterator[ChangeFeed]:
    feed: ChangeFeed = CHANGE_FEED.of(app)
    feed.listen()
    wait_until(lambda: feed.is_listening)
    yield feed
    ENGINE.of(app).dispose()


@pytest.fixture
def elsewhere(database_url: str) -> Iterator[psycopg.Connection]:
    """Somebody who changes rows without telling this process."""
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def name_of(app: Flask, made: NewClient) -> str:
    with app.app_context():
        found = known_client(made.client.client_id)
        return found.name if found else ""


@pytest.mark.usefixtures("listening")
def test_a_change_made_elsewhere_is_seen_at_once(app: Flask, made: NewClient, elsewhere: psycopg.Connection) -> None:
    assert name_of(app, made) == "As it was"
    with counted() as statements:
        assert name_of(app, made) == "As it was"
    assert statements == []
    elsewhere.execute("UPDATE client SET name = 'As it is' WHERE client_id = %s", [made.client.client_id])
    wait_until(lambda: name_of(app, made) == "As it is")
    elsewhere.execute("UPDATE client SET revoked_at = now() WHERE client_id = %s", [made.client.client_id])
    wait_until(lambda: name_of(app, made) == "")


@pytest.mark.usefixtures("listening")
def test_a_client_that_did_not_change_stays_remembered(app: Flask, made: NewClient) -> None:
    name_of(app, made)
    with in_seconds(LIFETIME_SECONDS - 1), counted() as statements:
        assert name_of(app, made) == "As it was"
    assert statements == []


def test_unheard_nothing_is_remembered_for_long(app: Flask, made: NewClient, elsewhere: psycopg.Connection) -> None:
    name_of(app, made)
    elsewhere.execute("UPDATE client SET name = 'As it is' WHERE client_id = %s", [made.client.client_id])
    assert name_of(app, made) == "As it was"
    with in_seconds(UNHEARD_LIFETIME_SECONDS + 1):
        assert name_of(app, made) == "As it is"


def test_what_changed_while_the_connection_was_lost_is_read_again(
    app: Flask, made: NewClient, listening: ChangeFeed, elsewhere: psycopg.Connection
) -> None:
    name_of(app, made)
    elsewhere.execute(END_OTHER_CONNECTIONS + "AND query LIKE 'LISTEN %'")
    elsewhere.execute("UPDATE client SET name = 'As it is' WHERE client_id = %s", [made.client.client_id])
    wait_until(lambda: name_of(app, made) == "As it is")
    wait_until(lambda: listening.is_listening)


def test_what_was_read_before_a_change_is_not_kept_after_it(app: Flask, made: NewClient) -> None:
    with app.app_context():
        memory, reading = CLIENTS.of(app), known_client(made.client.client_id)
        assert reading is not None
        before = memory.changes
        memory.invalidate("client", made.client.client_id)
        memory.keep(made.client.client_id, reading, before)
        assert memory.get(made.client.client_id) is None
