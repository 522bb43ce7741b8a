"""A change of a client is prepared once, over one read, and made under one lock."""

from dataclasses import replace

import pytest
from builders.clients import CALLBACK, a_client
from builders.identity import an_agency
from builders.statements import counted

from identity.clients.client_reviews.actions import change_application, change_fields
from identity.clients.registry import queries
from identity.clients.registry.actions import NewClient, change_registration, revoke_client
from identity.clients.registry.models import Client
from identity.clients.registry.queries import any_client, client_of, propose, registration_of
from identity.clients.registry.rules import ClientRevoked, Registration, checked_registration
from kernel.base.errors import Conflict, NotYours
from kernel.base.parties import Party
from kernel.recording.work import Work, action

OWNER = Party.agency("AE001")
OTHER = "https://other.example.cl/"


@pytest.fixture
def made(context: None) -> NewClient:
    an_agency("AE001")
    return a_client("standard", owner=OWNER, name="Trámites")


def test_an_edit_costs_one_read_one_lock_and_one_validation(made: NewClient, monkeypatch: pytest.MonkeyPatch) -> None:
    validated: list[Registration] = []

    def note(asked: Registration, environment: str) -> Registration:
        validated.append(asked)
        return checked_registration(asked, environment)

    monkeypatch.setattr(queries, "checked_registration", note)
    client_id = made.client.client_id
    asked = replace(registration_of(made.client), redirect_uris=[CALLBACK, OTHER])
    with counted() as statements:
        change_application(client_of(OWNER, client_id), asked)
    reads = [one for one in statements if "FROM client" in one and one.startswith("SELECT")]
    assert [one.rstrip().endswith("FOR UPDATE") for one in reads] == [False, True]
    assert len(validated) == 1


def test_two_changes_at_once_of_different_fields_are_both_made(made: NewClient) -> None:
    client = any_client(made.client.client_id)
    slow = propose(client, contacts=["ana@example.cl"])
    change_fields(client, name="Otros trámites")
    changed = change_registration(slow).client
    assert (changed.name, changed.contacts) == ("Otros trámites", ["ana@example.cl"])


def test_addresses_that_changed_after_they_were_looked_at_are_not_mixed(made: NewClient) -> None:
    client = any_client(made.client.client_id)
    slow = propose(client, redirect_uris=[CALLBACK, OTHER])
    change_fields(client, options={**client.options, "backchannel_logout_uri": OTHER})
    with pytest.raises(Conflict):
        change_registration(slow)
    assert any_client(made.client.client_id).redirect_uris == [CALLBACK]


def test_a_client_that_ended_or_went_to_somebody_else_meanwhile_is_not_changed(made: NewClient) -> None:
    proposal = propose(any_client(made.client.client_id), name="Otros trámites")
    _give_to(Party.agency("AE002"), made.client.client_id)
    with pytest.raises(NotYours):
        change_registration(proposal)
    proposal = propose(any_client(made.client.client_id), name="Otros trámites")
    revoke_client(made.client.client_id)
    with pytest.raises(ClientRevoked):
        change_registration(proposal)


@action
def _give_to(work: Work, owner: Party, client_id: str) -> None:
    client = any_client(client_id)
    client.owner = owner
    work.record("identity:client:updated", client, before={}, after={})


def test_a_client_has_nothing_of_what_was_only_proposed(made: NewClient) -> None:
    before = registration_of(made.client)
    propose(made.client, name="Otros trámites", redirect_uris=[OTHER])
    assert registration_of(any_client(made.client.client_id)) == before
    assert isinstance(made.client, Client)
