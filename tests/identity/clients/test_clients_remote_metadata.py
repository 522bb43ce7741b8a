"""While somebody else's server is asked, no transaction of ours waits for its answer."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from builders.clients import CALLBACK, a_client
from builders.identity import an_agency, an_official, sign_in_for
from builders.publishing import let_call, publishing
from flask import Flask, g
from flask.testing import FlaskClient

from identity.clients.client_reviews.actions import change_application, register_application, replace_keys
from identity.clients.dynamic_registration.actions import create_initial_token
from identity.clients.logos.actions import remove_logo
from identity.clients.machine_clients.actions import change_machine_client, create_machine_client
from identity.clients.registry.actions import change_registration
from identity.clients.registry.queries import any_client, propose
from identity.clients.registry.rules import Registration
from kernel.base.errors import Invalid
from kernel.base.parties import Party
from kernel.database.db import engine
from kernel.outside import outbound
from kernel.recording.work import Work, action

OWNER = Party.agency("AE001")
OTHER = "http://127.0.0.1:9/other"
KEYS = "https://keys.example.cl/jwks"
OPEN_NOW = """
SELECT count(*) FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database()
AND backend_type = 'client backend'
"""


class Sector:
    """A place that publishes a sector, and how many transactions were open each time that it was asked."""

    def __init__(self, database: str) -> None:
        self.uri = ""
        self.open: list[int] = []
        self._database = database

    def answer(self) -> tuple[int, bytes]:
        with psycopg.connect(self._database, autocommit=True) as connection:
            row = connection.execute(OPEN_NOW).fetchone()
        self.open.append(row[0] if row else -1)
        return 200, json.dumps([CALLBACK]).encode()

    def was_asked(self, times: int = 1) -> bool:
        """Whether it was asked so often since the last time, and nothing waited for it."""
        found, self.open = self.open, []
        return found == [0] * times


@pytest.fixture
def sector(app: Flask) -> Iterator[Sector]:
    with app.app_context():
        an_agency("AE001")
        url = engine().url.set(drivername="postgresql").render_as_string(hide_password=False)
    found = Sector(url)
    with publishing(found.answer) as (place, _calls):
        let_call(app, place)
        found.uri = f"http://{place}/sector.json"
        yield found


def asked(sector: Sector, **changed: object) -> Registration:
    registration = Registration("Trámites", "standard", [CALLBACK], options={"sector_identifier_uri": sector.uri})
    return Registration(**{**vars(registration), **changed})


def test_a_client_registers_and_manages_itself(app: Flask, client: FlaskClient, sector: Sector) -> None:
    metadata = {"redirect_uris": [CALLBACK], "client_name": "Trámites", "sector_identifier_uri": sector.uri}
    with app.app_context():
        token = create_initial_token(OWNER, "sandbox", "para probar", uses=1).token
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        made = client.post("/openid/register", json=metadata, headers=headers)
        assert made.status_code == 201
        assert sector.was_asked()
    told = made.get_json()
    headers = {"Authorization": f"Bearer {told['registration_access_token']}"}
    changed = metadata | {"client_id": told["client_id"], "client_name": "Otros trámites"}
    assert client.put(told["registration_client_uri"], json=changed, headers=headers).status_code == 200
    assert sector.was_asked()
    # A token that is used up has nobody asked.
    assert (
        client.post("/openid/register", json=metadata, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    )
    assert sector.was_asked(0)


def test_an_owner_registers_and_changes_an_application(context: None, sector: Sector) -> None:
    a_client("standard", options={"sector_identifier_uri": sector.uri})
    assert sector.was_asked()
    client_id = register_application(asked(sector), "sandbox", OWNER).client.client_id
    assert sector.was_asked()
    change_application(any_client(client_id), asked(sector, name="Otros trámites"))
    assert sector.was_asked()
    change_registration(propose(any_client(client_id), redirect_uris=[CALLBACK]))
    assert sector.was_asked()
    with pytest.raises(Invalid):
        propose(any_client(client_id), redirect_uris=[OTHER])
    assert sector.was_asked()
    # A picture and the like have nothing to do with it.
    remove_logo(any_client(client_id))
    assert sector.was_asked(0)


def test_an_action_that_forgets_to_look_before_fails_loudly(context: None, sector: Sector) -> None:
    @action
    def register(work: Work) -> None:
        a_client("standard", options={"sector_identifier_uri": sector.uri})

    with pytest.raises(RuntimeError):
        register()
    assert sector.was_asked(0)


def test_the_pages_do_the_same(app: Flask, client: FlaskClient, sector: Sector) -> None:
    with app.app_context():
        client_id = register_application(asked(sector), "sandbox", OWNER).client.client_id
        official = an_official("AE001")
    sign_in_for(client, official, "AE001")
    assert sector.was_asked()
    form = {"name": "Otros trámites", "profile": "standard", "redirect_uris": CALLBACK, "sector": "owner"}
    assert client.post(f"/agency/applications/{client_id}/edit", data=form).status_code == 303
    assert sector.was_asked()


def test_names_are_looked_up_before_the_transaction(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    is_within: list[bool] = []

    def note(_host: str, _port: int) -> list[str]:
        is_within.append("work" in g)
        return ["192.0.43.8"]

    monkeypatch.setattr(outbound, "_resolve", note)
    an_agency("AE001")
    for auth_method in ("private_key_jwt", None):
        made = create_machine_client("Sistema", "AE001", ["x.y"], auth_method=auth_method, jwks_uri=KEYS)
        change_machine_client(made.client.client_id, "Sistema", auth_method="private_key_jwt", jwks_uri=KEYS)
    client_id = a_client("standard", owner=OWNER, jwks_uri=KEYS).client.client_id
    replace_keys(any_client(client_id), None, KEYS)
    assert is_within == [False] * 6
