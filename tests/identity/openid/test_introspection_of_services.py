"""Providers of services of the catalogue may ask about the tokens that are meant for it (RFC 7662 2.1)."""

import pytest
from builders import catalogue
from builders.clients import a_client, a_system, basic, machine_token
from builders.identity import an_agency
from flask import Flask
from flask.testing import FlaskClient

from identity.clients.registry.actions import NewClient
from identity.ports import SERVICE_OWNERS, service_owner
from kernel.jobs.access import Principal, act_as


@pytest.fixture
def token(app: Flask, client: FlaskClient) -> str:
    """A token of the consumer's system for the service of an agreement."""
    with app.app_context():
        for agency in catalogue.EVERYONE:
            an_agency(agency.code, agency.name)
        catalogue.with_fakes(app)
        agreement = catalogue.an_agreement()
        act_as(Principal(kind="system", id="test"))
        assert service_owner(agreement.service_code) == catalogue.OWNER.code
        assert service_owner("SRV-999999") is None
        binding = {"agreement": agreement.code, "service": agreement.service_code, "version": agreement.version}
        system = a_system(catalogue.CONSUMER.code, ["catalogue.usage"], binding)
    return machine_token(client, system)


def is_alive(client: FlaskClient, asking: NewClient, token: str) -> bool:
    headers = basic(asking.client.client_id, asking.secret)
    told = client.post("/openid/introspect", data={"token": token}, headers=headers).get_json()
    return bool(told["active"])


def test_nobody_else_learns_that_the_token_is_alive(app: Flask, client: FlaskClient, token: str) -> None:
    with app.app_context():
        others = [
            a_system(catalogue.STRANGER.code),
            a_system(catalogue.CONSUMER.code),
            a_system(catalogue.OWNER.code, environment="sandbox"),
            a_client("standard", owner="operator"),
        ]
    assert [other.client.client_id for other in others if is_alive(client, other, token)] == []


def test_a_system_of_the_owner_learns_what_it_says(app: Flask, client: FlaskClient, token: str) -> None:
    with app.app_context():
        owner = a_system(catalogue.OWNER.code)
    headers = basic(owner.client.client_id, owner.secret)
    told = client.post("/openid/introspect", data={"token": token}, headers=headers).get_json()
    assert told["active"] is True
    assert (told["agreement"][:4], told["scope"]) == ("ACU-", "catalogue.usage")


def test_without_a_catalogue_there_is_no_owner(app: Flask, client: FlaskClient, token: str) -> None:
    with app.app_context():
        owner = a_system(catalogue.OWNER.code)
    SERVICE_OWNERS.empty(app)
    assert not is_alive(client, owner, token)
