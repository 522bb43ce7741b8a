"""The inbox: a person reads their own notices, and chooses how they are told."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from builders.clients import a_client, answer_of, authorize, redeem
from builders.following import follow_up
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from builders.requests import agree
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from identity.authentication.one_time_codes.rules import SET_UP
from identity.clients.token_exchange_policies.rules import REQUESTED
from identity.people.models import Person
from kernel.database.db import session
from kernel.outside.inbox import KEPT, forget_old, notices_of
from kernel.outside.messages import Recipient
from kernel.outside.notices import notify
from kernel.recording.audit import AuditEvent
from kernel.recording.work import Work, action

INBOX = "/account/notices"
API = "/api/v1/account/notices"
PREFERENCES = "/api/v1/account/notice-preferences"
WORDS = {"agency": "El Registro", "target": "Portal", "actor": "Consulta"}


@action
def tell(work: Work, person: Person, agency: str = "AE001") -> None:
    reader = Recipient(person.email, person.language, person.id, agency)
    notify(work, [reader], REQUESTED, "/agency/exchanges", **WORDS)


@pytest.fixture
def ana(app: Flask) -> Person:
    """An administrator with two notices."""
    with app.app_context():
        an_agency("AE001", "Servicio Uno")
        official = an_official("AE001", "administrator")
        tell(official)
        tell(official)
        follow_up()
        follow_up(also=("kernel:inbox:put",))
        session().refresh(official)
        return official


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    with app.app_context():
        other = a_person()
    browser = app.test_client()
    sign_in(browser, other)
    return browser


def ids(app: Flask, person: Person) -> list[UUID]:
    with app.app_context():
        return [notice.id for notice in notices_of(person.id).items]


def chosen(app: Flask) -> dict[str, Any]:
    with app.app_context():
        rows = session().execute(text("SELECT kind, timings FROM notice_choice"))
        return {row[0]: row[1] for row in rows}


class TestReading:
    """The pages."""

    def test_every_page_says_how_many_are_new_and_what_is_opened_is_read(
        self, app: Flask, client: FlaskClient, ana: Person
    ) -> None:
        sign_in(client, ana)
        assert "Avisos (2 sin leer)" in client.get("/account").text
        page = client.get(INBOX).text
        assert page.count("El Registro pide llamar a «Portal»") == 2
        newest = ids(app, ana)[0]
        opened = client.post(f"{INBOX}/{newest}/open")
        assert (opened.status_code, opened.location) == (303, "/agency/exchanges?acting_for=AE001")
        assert "Avisos (1 sin leer)" in client.get("/account").text
        client.post(f"{INBOX}/read")
        assert "sin leer)" not in client.get("/account").text

    def test_an_official_reads_them_too(self, client: FlaskClient, ana: Person) -> None:
        sign_in_for(client, ana, "AE001")
        assert "El Registro pide" in client.get(INBOX).text

    def test_anothers_notice_is_not_found(self, app: Flask, ana: Person, stranger: FlaskClient) -> None:
        assert "El Registro" not in stranger.get(INBOX).text
        assert stranger.post(f"{INBOX}/{ids(app, ana)[0]}/open").status_code == 404
        stranger.post(f"{INBOX}/read")
        with app.app_context():
            assert [notice.read_at for notice in notices_of(ana.id).items] == [None, None]

    def test_nobody_reads_without_signing_in(self, client: FlaskClient) -> None:
        assert client.get(INBOX).status_code == 303
        assert client.get(API).status_code == 401

    def test_what_is_old_is_forgotten(self, app: Flask, ana: Person) -> None:
        with app.app_context():
            days = KEPT.days + 1
            session().execute(text(f"UPDATE notice SET created_at = now() - interval '{days} days' WHERE id = :id"),
                              {"id": ids(app, ana)[0]})  # fmt: skip
            session().commit()
            forget_old()
        assert len(ids(app, ana)) == 1

    def test_a_wrong_cursor_is_told(self, client: FlaskClient, ana: Person) -> None:
        sign_in(client, ana)
        assert client.get(f"{INBOX}?cursor=x").status_code == 422


class TestChoosing:
    """The preferences."""

    def test_the_page_has_what_concerns_the_reader_alone(
        self, client: FlaskClient, ana: Person, stranger: FlaskClient
    ) -> None:
        sign_in(client, ana)
        page, others = client.get(f"{INBOX}/preferences").text, stranger.get(f"{INBOX}/preferences").text
        assert "Otro organismo pide llamar a una de sus aplicaciones" in page
        assert "Otro organismo le envía una comunicación" not in page
        assert "Otro organismo pide" not in others
        assert "Se configura un segundo paso" in others
        assert "Guardar" in page
        assert "Guardar" not in others, "there is nothing to choose"

    def test_a_choice_is_kept_recorded_and_followed(self, app: Flask, client: FlaskClient, ana: Person) -> None:
        sign_in(client, ana)
        form = {"applications-exchange-requested-page": "off", "applications-exchange-requested-mail": "daily"}
        page = client.get(f"{INBOX}/preferences").text
        for name in form:
            assert f'name="{name}"' in page
        answer = client.post(f"{INBOX}/preferences", data=whole_form(page) | form)
        assert answer.status_code == 303
        assert chosen(app)[REQUESTED.kind] | {"page": "off", "mail": "daily"} == chosen(app)[REQUESTED.kind]
        with app.app_context():
            query = select(AuditEvent.detail).where(AuditEvent.tag == "identity:person:notices-chosen")
            assert session().scalars(query).all() == [{"kinds": [REQUESTED.kind]}]
            session().execute(text("DELETE FROM procrastinate_jobs"))
            session().commit()
            tell(ana)
            assert session().scalar(text("SELECT count(*) FROM waiting_notice")) == (1 if ana.email else 0)
            assert session().scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0

    def test_what_is_not_offered_is_refused(self, app: Flask, client: FlaskClient, ana: Person) -> None:
        sign_in(client, ana)
        page = client.get(f"{INBOX}/preferences").text
        wrong = whole_form(page) | {"applications-exchange-requested-page": "daily"}
        assert client.post(f"{INBOX}/preferences", data=wrong).status_code == 422
        assert "identity-second-step-set-up-mail" not in page
        assert chosen(app) == {}


def whole_form(page: str) -> dict[str, str]:
    """Return every choice as it stands on the page."""
    found = re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', page, re.S)
    return {name: re.findall(r'<option selected value="([^"]+)"', options)[0] for name, options in found}


class TestInterface:
    """The JSON interface, through an application."""

    @pytest.fixture
    def bearer(self, app: Flask, client: FlaskClient, ana: Person) -> dict[str, str]:
        with app.app_context():
            made = a_client("standard", name="Mi identidad", scopes=("openid", "account"))
            session().execute(text("UPDATE person SET is_test_person = true"))
            session().commit()
        sign_in(client, ana)
        answer = agree(client, authorize(client, made, scope="openid account", resource="http://localhost/api/v1"))
        token = redeem(client, made, answer_of(answer)["code"]).get_json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    def test_notices_come_in_pages_and_are_marked_read(
        self, app: Flask, client: FlaskClient, bearer: dict[str, str]
    ) -> None:
        first = client.get(f"{API}?limit=1", headers=bearer).get_json()
        (notice,) = first["items"]
        assert notice["link"] == "http://localhost/agency/exchanges?acting_for=AE001"
        assert notice["read_at"] is None
        assert client.post(f"{API}/{notice['id']}/read", headers=bearer).status_code == 204
        assert client.get(f"{API}?limit=1", headers=bearer).get_json()["items"][0]["read_at"]
        second = client.get(f"{API}?limit=1&cursor={first['next']}", headers=bearer).get_json()
        assert second["items"][0]["id"] != notice["id"]
        assert second["next"] is None

    @pytest.mark.parametrize("wrong", ["x", str(UUID(int=7))])
    def test_anothers_notice_is_not_found(self, client: FlaskClient, bearer: dict[str, str], wrong: str) -> None:
        assert client.post(f"{API}/{wrong}/read", headers=bearer).status_code == 404

    def test_preferences_are_read_and_chosen(self, app: Flask, client: FlaskClient, bearer: dict[str, str]) -> None:
        before = {one["kind"]: one for one in client.get(PREFERENCES, headers=bearer).get_json()["items"]}
        assert before[SET_UP.kind]["offered"]["mail"] == ["now"]
        wanted = {"kinds": {REQUESTED.kind: {"mail": "daily"}}}
        answer = client.put(PREFERENCES, headers=bearer, json=wanted)
        after = {one["kind"]: one for one in answer.get_json()["items"]}
        assert after[REQUESTED.kind]["timings"] == before[REQUESTED.kind]["timings"] | {"mail": "daily"}
        assert list(chosen(app)) == [REQUESTED.kind]

    @pytest.mark.parametrize(
        "kinds",
        [
            {SET_UP.kind: {"mail": "off"}},
            {REQUESTED.kind: {"page": "daily"}},
            {"communications.waiting": {"mail": "off"}},
            {"nothing.such": {}},
        ],
    )
    def test_what_is_not_offered_is_refused(
        self, app: Flask, client: FlaskClient, bearer: dict[str, str], kinds: dict[str, Any]
    ) -> None:
        assert client.put(PREFERENCES, headers=bearer, json={"kinds": kinds}).status_code == 422
        assert chosen(app) == {}
