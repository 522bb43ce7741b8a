"""Persons with a second factor, and what their app would show.

What drives a browser wants no application context; `a_test_person_with_code` wants one.
"""

import base64
import re
from dataclasses import dataclass

from builders.identity import PASSWORD, a_person, sign_in
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from identity.authentication.one_time_codes.actions import publish_secret
from identity.authentication.one_time_codes.rules import code_at, step_of
from identity.authentication.sessions.models import SignInSession
from identity.people.models import Person
from kernel.base import clock
from kernel.database.db import session
from kernel.recording.audit import AuditEvent

ONE, TWO = "urn:cordillera:acr:1", "urn:cordillera:acr:2"
PAGES = "/account/second-step"
SECRET = b"a secret of twenty b"


@dataclass(frozen=True)
class Enrolled:
    """A person's app, and the paper with their recovery codes."""

    secret: bytes
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """Return the code that the app shows, or showed or will show so many steps from then.

        Its clock is a step ahead, which is accepted: so the first code is not the one that has confirmed it.
        """
        return code_of(self.secret, steps + 1)


def code_of(secret: bytes, steps: int = 0) -> str:
    return code_at(secret, step_of(clock.now()) + steps)


def a_test_person_with_code() -> Person:
    """One of the sandbox's, whose code is asked for when an application wants it."""
    person = a_person(is_test_person=True)
    publish_secret(person, SECRET)
    return person


def begin(client: FlaskClient, password: str = PASSWORD) -> bytes:
    """Get a secret for the person signed in."""
    assert client.post(PAGES, data={"password": password}).status_code == 303
    return secret_shown(client.get(f"{PAGES}/confirm"))


def secret_shown(page: TestResponse) -> bytes:
    shown = re.search(r"<code>([A-Z2-7\s]{39})</code>", page.text)
    assert shown, page.text
    return base64.b32decode("".join(shown[1].split()))


def recovery_codes_shown(page: TestResponse) -> list[str]:
    found = re.findall(r"\b[B-Z]{4} [B-Z]{4} [B-Z]{4}\b", page.text)
    assert len(found) == 10, page.text
    return found


def enrol(client: FlaskClient, person: Person) -> Enrolled:
    """Sign in and set the second factor up."""
    sign_in(client, person)
    secret = begin(client)
    page = client.post(f"{PAGES}/confirm", data={"code": code_of(secret)})
    return Enrolled(secret, recovery_codes_shown(page))


def give_code(client: FlaskClient, code: str, following: str = "") -> TestResponse:
    """Fill in the form that asks for the code."""
    return client.post("/sign-in/code", data={"code": code, "next": following})


def go_on(client: FlaskClient, entered: TestResponse) -> TestResponse:
    """Return the answer that follows the code: to the application at once, or a page of ours in between."""
    return client.get(entered.location) if entered.location.startswith("/") else entered


def living_session(app: Flask) -> SignInSession:
    """The only session that has not ended."""
    with app.app_context():
        return session().scalars(select(SignInSession).where(SignInSession.ended_at.is_(None))).one()


def audited(app: Flask) -> list[str]:
    """The tags of all that was recorded, in order."""
    with app.app_context():
        return list(session().scalars(select(AuditEvent.tag).order_by(AuditEvent.id)))
