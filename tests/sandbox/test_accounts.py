"""Developers come into the sandbox."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from builders.sandbox import a_developer
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from kernel.base import clock
from kernel.base.errors import Invalid, TooMany
from kernel.base.settings import Settings
from kernel.database.db import session
from kernel.jobs import jobs
from kernel.jobs.access import AUTHENTICATORS, Principal
from sandbox.accounts import actions
from sandbox.accounts.rules import (
    LINK_LIFETIME,
    MAX_LINKS_PER_ADDRESS,
    SESSION_LIFETIME,
    LinkNotUsable,
    normalise_email,
)


def ask(email: str = "eva@example.cl", address: str = "192.0.2.1", next_path: str = "/sandbox/applications") -> str:
    """Ask for a link; the token in the letter that waits to be sent."""
    actions.request_link(email, address, next_path)
    letter = letters()[-1]
    return token_in(letter)


def token_in(letter: dict[str, str]) -> str:
    found = re.search(r"/sandbox/sign-in/confirm\?token=(\S+)", letter["text"])
    assert found
    return found[1]


def letters() -> list[dict[str, str]]:
    query = "SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver' ORDER BY id"
    return list(session().scalars(text(query)))


def count(table: str) -> int:
    return int(session().scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_a_link_lets_its_reader_in_and_makes_the_account(context: None) -> None:
    opened = actions.confirm_link(ask("  Eva@Example.CL "))
    assert opened.developer.email == "eva@example.cl"
    assert opened.next_path == "/sandbox/applications"
    tags = session().scalars(text("SELECT tag FROM audit_event ORDER BY id")).all()
    assert tags == ["sandbox:developer:signed-up", "sandbox:developer:signed-in"]


def test_the_second_sign_in_is_the_same_developer(context: None) -> None:
    first = actions.confirm_link(ask())
    second = actions.confirm_link(ask())
    assert first.developer.id == second.developer.id
    assert first.token != second.token


def test_a_link_works_once(context: None) -> None:
    token = ask()
    actions.confirm_link(token)
    with pytest.raises(LinkNotUsable):
        actions.confirm_link(token)


def test_a_link_opened_many_times_at_once_opens_one_session(app: Flask, context: None) -> None:
    token = ask()

    def click(_: int) -> bool:
        with app.app_context():
            try:
                actions.confirm_link(token)
            except LinkNotUsable:
                return False
            return True

    with ThreadPoolExecutor(8) as clicks:
        results = list(clicks.map(click, range(8)))
    assert results.count(True) == 1
    assert count("developer_session") == 1


def test_a_link_expires(context: None) -> None:
    token = ask()
    with clock.shifted(LINK_LIFETIME + timedelta(seconds=1)), pytest.raises(LinkNotUsable):
        actions.confirm_link(token)


def test_only_hashes_are_kept(context: None) -> None:
    token = ask()
    opened = actions.confirm_link(token)
    for table in ("developer_link", "developer_session", "audit_event"):
        everything = " ".join(str(row) for row in session().execute(text(f"SELECT {table}::text FROM {table}")))
        assert token not in everything
        assert opened.token not in everything


def test_an_email_gets_five_links_an_hour_and_the_asker_learns_nothing(context: None) -> None:
    for number in range(8):
        actions.request_link("eva@example.cl", f"192.0.2.{number}", "/sandbox")
    assert len(letters()) == 5
    with clock.shifted(timedelta(hours=1, seconds=1)):
        actions.request_link("eva@example.cl", "192.0.2.1", "/sandbox")
    assert len(letters()) == 6


def test_one_address_cannot_ask_for_everybody(context: None) -> None:
    for number in range(MAX_LINKS_PER_ADDRESS):
        actions.request_link(f"eva{number}@example.cl", "192.0.2.1", "/sandbox")
    with pytest.raises(TooMany):
        actions.request_link("ana@example.cl", "192.0.2.1", "/sandbox")


@pytest.mark.parametrize(
    "email",
    [
        "",
        "eva",
        "eva@",
        "@example.cl",
        "eva@example",
        "eva@@example.cl",
        "eva @example.cl",
        "eva@example.cl\r\nBcc: ana@example.cl",
        "eva@exa_mple.cl",
        "eva@-example.cl",
        "e" * 65 + "@example.cl",
        "eva@" + "e" * 250 + ".cl",
        "<eva@example.cl>",
        "eva..x@example.cl",
        "eva@example.cl,ana@example.cl",
        "eva\x00@example.cl",
    ],
)
def test_what_is_no_email_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        normalise_email(email)


def asked(client: FlaskClient, query: str = "") -> str:
    """Ask for a link on the page; its token."""
    assert client.post(f"/sandbox/sign-in{query}", data={"email": "eva@example.cl"}).status_code == 303
    with client.application.app_context():
        return token_in(letters()[-1])


def test_the_pages_lead_from_an_email_to_the_applications(client: FlaskClient) -> None:
    first = client.get("/sandbox/applications")
    assert first.status_code == 303
    assert first.location == "/sandbox/sign-in?next=/sandbox/applications"
    a_developer(client)
    page = client.get("/sandbox/applications")
    assert page.status_code == 200
    assert "eva@example.cl" in page.text
    assert client.post("/sandbox/sign-out").status_code == 303
    assert client.get("/sandbox/applications").status_code == 303


def test_reading_the_mail_does_not_use_the_link_up(client: FlaskClient) -> None:
    link = {"token": asked(client)}
    place = "/sandbox/sign-in/confirm"
    assert [client.get(place, query_string=link).status_code for _ in range(3)] == [200, 200, 200]
    assert client.post(place, data=link).status_code == 303
    assert client.get(place, query_string=link).status_code == 410
    assert client.get(place).status_code == client.post(place).status_code == 410


def test_the_session_cookie_is_for_the_sandbox_alone(client: FlaskClient) -> None:
    a_developer(client)
    cookie = client.get_cookie("cordillera_developer", path="/sandbox")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"


def test_a_session_ends(client: FlaskClient) -> None:
    a_developer(client)
    with clock.shifted(SESSION_LIFETIME + timedelta(seconds=1)):
        assert client.get("/sandbox/applications").status_code == 303


def test_after_signing_in_nobody_is_sent_to_another_site(client: FlaskClient) -> None:
    token = asked(client, "?next=//evil.example/")
    assert client.post("/sandbox/sign-in/confirm", data={"token": token}).location == "/"


def test_in_the_sandbox_a_developer_counts_and_elsewhere_the_person(app: Flask, client: FlaskClient) -> None:
    person = Principal(kind="person", id="019a0000-0000-7000-8000-000000000001", name="María Del Río")
    AUTHENTICATORS.of(app).append(lambda: person)
    assert client.get("/sandbox/applications").location == "/sandbox/sign-in?next=/sandbox/applications"
    assert "María Del Río" in client.get("/sandbox").text
    a_developer(client)
    assert "eva@example.cl" in client.get("/sandbox/applications").text
    assert "María Del Río" in client.get("/about").text


def test_a_wrong_email_is_told_beside_the_field_and_kept(client: FlaskClient) -> None:
    page = client.post("/sandbox/sign-up", data={"email": "eva at example"})
    assert page.status_code == 422
    assert 'value="eva at example"' in page.text
    assert 'id="email-error"' in page.text


def test_the_sweep_forgets_what_ran_out(context: None) -> None:
    actions.confirm_link(ask())
    with clock.shifted(timedelta(days=2)):
        actions.sweep()
    assert count("developer_link") == count("developer_session") == 0
    assert count("developer") == 1


def test_the_letter_is_written_by_the_worker(app: Flask, context: None, settings: Settings) -> None:
    ask()
    jobs.run_worker(app, until_empty=True)
    [letter] = (settings.data_dir / "mail").iterdir()
    assert b"To: eva@example.cl" in letter.read_bytes()
