"""A code is for what the person agrees to at the very moment it is issued."""

from concurrent.futures import ThreadPoolExecutor, wait

from builders.clients import a_code, answer_of, authorize
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from identity.clients.registry.actions import NewClient
from identity.openid.models import ApplicationConsent, Grant
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import engine, session
from kernel.recording.audit import AuditEvent


def test_who_withdraws_at_that_moment_is_waited_for_and_asked_again(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made)
    with ThreadPoolExecutor() as threads, app.app_context(), engine().connect() as withdrawing:
        withdrawing.execute(select(ApplicationConsent.id).with_for_update())
        entering = threads.submit(authorize, client, made)
        assert wait([entering], timeout=0.5).not_done
        withdrawing.execute(update(ApplicationConsent).values(withdrawn_at=clock.now()))
        withdrawing.commit()
        page = entering.result(timeout=10)
    assert page.status_code == 200
    assert "/openid/consent" in page.text
    with app.app_context():
        assert session().scalar(select(func.count()).select_from(Grant)) == 1
        entered = select(func.count()).where(AuditEvent.tag == "identity:application:entered")
        assert session().scalar(entered) == 1


def test_who_agreed_to_less_is_asked_and_nothing_is_on_record(
    app: Flask, client: FlaskClient, person: Person, made: NewClient
) -> None:
    a_code(client, made, scope="openid name")
    assert authorize(client, made, scope="openid name email").status_code == 200
    assert answer_of(authorize(client, made, scope="openid name", prompt="none"))["code"]
    refused = answer_of(authorize(client, made, scope="openid name email", prompt="none"))
    assert refused["error"] == "consent_required"
    with app.app_context():
        entered = select(func.count()).where(AuditEvent.tag == "identity:application:entered")
        assert session().scalar(entered) == 2
