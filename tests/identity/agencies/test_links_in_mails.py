"""A link of a mail of ours leads an official to where it says, whomever they act for at that moment."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from identity.officials.actions import appoint
from identity.people.models import Person
from kernel.database.db import session
from kernel.jobs.access import ACTING_FOR
from kernel.outside.messages import path_for
from kernel.recording.audit import AuditEvent

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = "/agency/members"


@pytest.fixture
def agencies(app: Flask) -> None:
    with app.app_context():
        for code in ("AE001", "AE002", "AE003"):
            an_agency(code, f"Organismo {code}")


@pytest.fixture
def of_one(app: Flask, agencies: None) -> Person:
    with app.app_context():
        return an_official("AE002", "administrator")


@pytest.fixture
def of_two(app: Flask, of_one: Person) -> Person:
    with app.app_context():
        appoint("AE001", str(of_one.run), "administrator")
    return of_one


def followed(browser: FlaskClient, path: str, times: int = 5) -> TestResponse:
    answer = browser.get(path)
    for _ in range(times):
        if answer.status_code != 303:
            return answer
        path = str(answer.location)
        answer = browser.get(path)
    raise AssertionError(f"the way has no end: {path}")


def chosen(app: Flask) -> list[str]:
    with app.app_context():
        query = select(AuditEvent.detail).where(AuditEvent.tag == "identity:session:agency-chosen")
        return [detail["agency"] for detail in session().scalars(query.order_by(AuditEvent.id))]


def link(agency: str, path: str = MEMBERS) -> str:
    return f"{path}?{ACTING_FOR}={agency}"


class TestSignedOut:
    """A reader who has to sign in first."""

    def test_an_official_of_one_agency_is_there_after_signing_in(
        self, app: Flask, client: FlaskClient, of_one: Person
    ) -> None:
        for asked in (MEMBERS, link("AE002"), link("AE009")):
            browser = app.test_client()
            to_sign_in = browser.get(asked)
            assert to_sign_in.status_code == 303
            following = urlsplit(str(to_sign_in.location)).query
            assert following.startswith("next=")
            page = browser.get(str(to_sign_in.location))
            hidden = re.search(r'name="next"[^>]*value="([^"]*)"', page.text)
            assert hidden
            signed_in = sign_in(browser, of_one, following=hidden[1].replace("&amp;", "&"))
            there = followed(browser, str(signed_in.location))
            assert (there.status_code, there.request.full_path) == (200, f"{MEMBERS}?")
            assert "Organismo AE002" in there.text
        assert chosen(app) == ["AE002"] * 3

    def test_the_rest_of_the_address_stays(self, client: FlaskClient, of_one: Person) -> None:
        sign_in(client, of_one)
        moved = client.get(f"{MEMBERS}?a=1&{ACTING_FOR}=AE002&b=%C3%B1+%26&a=2")
        assert moved.location == f"{MEMBERS}?a=1&b=%C3%B1+%26&a=2"


class TestSignedIn:
    """A reader who acts for nobody, or for another agency."""

    def test_who_has_more_agencies_is_asked_and_goes_on(self, app: Flask, client: FlaskClient, of_two: Person) -> None:
        sign_in(client, of_two)
        page = followed(client, MEMBERS)
        assert page.request.path == "/agency"
        assert "La página que quiere ver es para quienes actúan por un organismo" in page.text
        assert chosen(app) == []
        following = re.search(r'name="next" value="([^"]*)"', page.text)
        assert following
        assert following[1] == MEMBERS
        there = client.post("/agency", data={"agency": "AE001", "next": following[1]})
        assert there.location == MEMBERS
        assert client.get(MEMBERS).status_code == 200

    def test_a_link_that_names_one_of_them_leads_there_at_once(
        self, app: Flask, client: FlaskClient, of_two: Person
    ) -> None:
        sign_in(client, of_two)
        there = followed(client, link("AE002"))
        assert (there.status_code, there.request.path) == (200, MEMBERS)
        assert chosen(app) == ["AE002"]

    def test_nobody_is_moved_from_one_agency_to_another_without_being_asked(
        self, app: Flask, client: FlaskClient, of_two: Person
    ) -> None:
        sign_in_for(client, of_two, "AE001")
        page = followed(client, link("AE002"))
        assert page.request.path == "/agency"
        assert "es de Organismo AE002" in page.text
        assert chosen(app) == ["AE001"]
        assert client.post("/agency", data={"agency": "AE002", "next": MEMBERS}).location == MEMBERS
        assert followed(client, link("AE002")).request.path == MEMBERS

    def test_only_agencies_where_one_may_see_the_page_are_looked_at(
        self, app: Flask, client: FlaskClient, of_one: Person
    ) -> None:
        with app.app_context():
            appoint("AE001", str(of_one.run), "correspondent")
        sign_in(client, of_one)
        assert followed(client, MEMBERS).request.path == MEMBERS
        assert chosen(app) == ["AE002"]

    def test_a_link_of_an_agency_that_is_not_ones_own_changes_nothing(
        self, app: Flask, client: FlaskClient, of_two: Person
    ) -> None:
        sign_in_for(client, of_two, "AE001")
        there = client.get(link("AE003"))
        assert there.status_code == 200
        assert "Organismo AE001" in there.text
        assert chosen(app) == ["AE001"]

    def test_who_belongs_to_no_agency_is_refused(self, app: Flask, client: FlaskClient, agencies: None) -> None:
        with app.app_context():
            citizen = a_person()
        sign_in(client, citizen)
        assert client.get(MEMBERS).status_code == 403
        assert client.get(link("AE002")).status_code == 403

    def test_another_agencys_thing_is_not_found(self, client: FlaskClient, of_one: Person) -> None:
        sign_in(client, of_one)
        for path in ("/agency/communications/COM-2026-000001", "/agency/applications/" + "0" * 32):
            assert followed(client, link("AE001", path)).status_code in (403, 404)

    @pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example/", "/\\evil.example", "/\tevil"])
    def test_the_choice_leads_to_pages_of_ours_only(self, client: FlaskClient, of_two: Person, evil: str) -> None:
        sign_in(client, of_two)
        assert client.post("/agency", data={"agency": "AE001", "next": evil}).location == "/"

    def test_a_form_changes_nobodys_agency(self, app: Flask, client: FlaskClient, of_one: Person) -> None:
        sign_in(client, of_one)
        assert client.post(link("AE002"), data={}).status_code == 403
        assert chosen(app) == []


def test_the_address_in_a_mail_names_the_agency_of_its_reader() -> None:
    assert path_for("AE002", "/agency/x") == f"/agency/x?{ACTING_FOR}=AE002"


def test_every_link_to_an_officials_page_is_written_so() -> None:
    """No mail is put together from the site's address and a page of officials by hand."""
    by_hand = re.compile(r"base_url\}?[^\n]*/(agency|authority)/")
    blocks = ("identity", "catalogue", "interoperability", "platform")
    found = [path for block in blocks for path in (ROOT / block).rglob("*.py") if by_hand.search(path.read_text())]
    assert found == []
