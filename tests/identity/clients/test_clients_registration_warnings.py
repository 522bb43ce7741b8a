"""Owners are told before a secret or key of theirs ends."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders.clients import a_client, a_system
from builders.identity import a_person, an_agency, sign_in_for
from builders.keys import a_certificate, a_key, der, public
from builders.publishing import let_call, publishing
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from identity.clients.client_secrets.rules import SECRET_LIFETIME
from identity.clients.expiry.actions import look_at_keys, look_at_published_keys, warn_of_ends
from identity.clients.expiry.queries import warnings_of
from identity.clients.expiry.rules import warning_due
from identity.clients.registry.actions import rotate_secret
from identity.clients.registry.queries import any_client
from identity.officials.actions import appoint
from kernel.base import clock
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def test_they_are_told_a_month_and_a_week_before() -> None:
    for days, told in ((60, None), (31, None), (30, 30), (29, 30), (8, 30), (7, 7), (1, 7), (0, None), (-1, None)):
        end = NOW + days * DAY
        found = warning_due([end], None, NOW)
        assert (found and (found[1] - end).days) == (told and -told), days
    end = NOW + 20 * DAY
    assert warning_due([end], end - 30 * DAY, NOW) is None
    assert warning_due([end, NOW + 5 * DAY], end - 30 * DAY, NOW) is not None
    assert warning_due([], None, NOW) is None


def mails() -> list[tuple[str, str]]:
    query = text("SELECT args->>'to', args->>'subject' FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'")
    return sorted((row[0], row[1]) for row in session().execute(query))


@pytest.mark.usefixtures("context")
def test_a_secret_in_use_ends_and_its_owners_are_told_in_time() -> None:
    an_agency("AE001", "Servicio de Prueba")
    person = a_person(email="admin@example.cl")
    appoint("AE001", f"{person.run_number}-{person.run_dv}", "administrator")
    usual: dict[str, Any] = {
        "environment": "production",
        "redirect_uris": ["https://a.example.cl/"],
        "post_logout_redirect_uris": [],
    }
    made = a_client(owner="agency:AE001", contacts=["ana@example.cl"], **usual)
    a_client()  # one of the sandbox does not end
    for days, count in ((31, 0), (30, 2), (29, 2), (7, 4), (6, 4)):
        with clock.shifted(SECRET_LIFETIME - days * DAY):
            warn_of_ends()
        session().expire_all()
        assert len(mails()) == count, days
    assert {to for to, _ in mails()} == {"admin@example.cl", "ana@example.cl"}
    with clock.shifted(SECRET_LIFETIME - 5 * DAY):
        rotate_secret(made.client.client_id)
        warn_of_ends()
    assert len(mails()) == 4


@pytest.mark.usefixtures("context")
def test_a_key_ends_with_its_certificate_or_by_its_own_word() -> None:
    key = a_key(kid="a")
    end = clock.now() + 20 * DAY
    certified = {**key.as_dict(private=False), "x5c": [der(a_certificate(key, ends=end))]}
    a_client("fapi2", jwks={"keys": [certified]}, contacts=["ana@example.cl"])
    declared = {**key.as_dict(private=False), "exp": int(end.timestamp())}
    a_client("fapi2", jwks={"keys": [declared]}, contacts=["eva@example.cl"])
    a_client("fapi2", jwks={"keys": [key.as_dict(private=False)]}, contacts=["leo@example.cl"])
    warn_of_ends()
    assert {to for to, _ in mails()} == {"ana@example.cl", "eva@example.cl"}


@pytest.mark.usefixtures("context")
def test_published_keys_are_looked_at_too(app: Flask) -> None:
    key, soon = a_key(kid="a"), clock.now() + 20 * DAY
    ending = {**key.as_dict(private=False), "x5c": [der(a_certificate(key, ends=soon))]}
    answers = [(200, json.dumps({"keys": [ending]})), (500, ""), (200, '{"keys": []}'), (200, json.dumps(public(key)))]
    with publishing(lambda: (answers[0][0], answers[0][1].encode())) as (place, _calls):
        let_call(app, place)
        made = a_client("fapi2", jwks_uri=f"http://{place}/jwks", contacts=["ana@example.cl"])
        client_id = made.client.client_id
        look_at_published_keys()
        query = text("SELECT args->>'client_id' FROM procrastinate_jobs WHERE task_name LIKE '%look-at-keys-of'")
        assert session().scalars(query).all() == [client_id]
        look_at_keys(client_id)
        warn_of_ends()
        assert len(mails()) == 1
        assert warnings_of(any_client(client_id)).ends_at == soon.replace(microsecond=0)
        answers.pop(0)
        for _day in range(2):
            look_at_keys(client_id)
        assert [subject for _to, subject in mails()].count("Las claves de Trámites de Prueba no se pueden obtener") == 1
        session().expire_all()
        assert warnings_of(any_client(client_id)).keys_failing_since is not None
        answers.pop(0)
        look_at_keys(client_id)  # an empty set is no better
        assert len(mails()) == 2
        answers.pop(0)
        look_at_keys(client_id)
        session().expire_all()
        assert not warnings_of(any_client(client_id))
        look_at_keys("nobody")


def test_who_has_no_address_reads_it_on_the_pages(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        an_agency("AE001", "Servicio de Prueba")
        mute, told = a_person(email=None), a_person(email="otra@example.cl")
        for person in (mute, told):
            appoint("AE001", str(person.run), "administrator")
        act_as(Principal(kind="operator", id="x", name="El operador"))
        usual: dict[str, Any] = {"redirect_uris": ["https://a.example.cl/"], "post_logout_redirect_uris": []}
        made = a_client(owner="agency:AE001", environment="production", **usual)
        system = a_system("AE001")
        path = f"/agency/applications/{made.client.client_id}"
    sign_in_for(client, mute, "AE001")
    headers = {"Accept-Language": "es"}
    assert "terminan pronto" not in client.get(path, headers=headers).text
    with app.app_context():
        session().execute(
            text("UPDATE client SET secrets = jsonb_set(secrets, '{0,ends_at}', to_jsonb(CAST(:at AS text)))"),
            {"at": (clock.now() + 5 * DAY).isoformat()},
        )
        session().commit()
        warn_of_ends()
        assert {to for to, _ in mails()} == {"otra@example.cl"}
    for page in (path, "/agency/applications", f"/agency/systems/{system.client.client_id}", "/agency/systems"):
        assert "pronto" in client.get(page, headers=headers).text, page
