"""An application in use goes on as it was approved until the authority approves a change, as it saw it."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from builders.clients import a_client, a_client_in_use, authorize, decide
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from identity.clients.client_reviews.models import ClientReview
from identity.clients.registry.actions import change_registration, revoke_client
from identity.clients.registry.models import Client
from identity.clients.registry.queries import any_client, propose, registered_client, registration_of
from identity.clients.registry.rules import NeedsApproval, RegisteredClient
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as
from kernel.recording.audit import AuditEvent

OLD, NEW = "https://tramites.example.cl/entrada", "https://tramites.example.cl/otra"
FORM: dict[str, Any] = {
    "name": "Trámites",
    "profile": "standard",
    "redirect_uris": OLD,
    "post_logout_redirect_uris": "",
    "contacts": "ana@example.cl",
    "scopes": ["run"],
    "reason_run": "Para encontrar su expediente.",
    "sector": "owner",
    "auth_method": "",
}


@pytest.fixture
def in_use(app: Flask) -> str:
    """An application of AE001 in production."""
    with app.app_context():
        for code in ("AE001", "AE002"):
            an_agency(code, f"Organismo {code}")
        an_agency("AE900", "La Autoridad", is_authority=True)
        return a_client_in_use(OLD).client.client_id


def official_of(app: Flask, code: str, role: str = "administrator") -> FlaskClient:
    browser = app.test_client()
    with app.app_context():
        person = an_official(code, role)
    sign_in_for(browser, person, code)
    return browser


@pytest.fixture
def owner(app: Flask, in_use: str) -> FlaskClient:
    return official_of(app, "AE001")


@pytest.fixture
def authority(app: Flask, in_use: str) -> FlaskClient:
    return official_of(app, "AE900")


@pytest.fixture
def present(app: Flask, in_use: str) -> Iterator[Any]:
    def read() -> RegisteredClient:
        with app.app_context():
            found = registered_client(in_use)
            assert found is not None
            return found

    return read  # type: ignore[return-value]


def edit(owner: FlaskClient, client_id: str, **changed: Any) -> int:
    return owner.post(f"/agency/applications/{client_id}/edit", data=FORM | changed).status_code


def seen(authority: FlaskClient, client_id: str) -> dict[str, str]:
    page = authority.get(f"/authority/applications/{client_id}").text
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert found, page
    return {"seen": found[1]}


WIDER = (
    {"redirect_uris": f"{OLD}\n{NEW}"},
    {"redirect_uris": NEW},
    {"post_logout_redirect_uris": NEW},
    {"scopes": ["run", "email"], "reason_email": "Para avisarle."},
    {"sector": "public"},
    {"sector": "application"},
    {"name": "Servicio de Impuestos"},
    {"profile": "clave-unica"},
    {"auth_method": "none"},
)


@pytest.mark.parametrize("change", WIDER, ids=lambda change: next(iter(change)))
def test_what_gives_it_more_waits_for_the_authority(
    owner: FlaskClient, authority: FlaskClient, in_use: str, present: Any, change: dict[str, Any]
) -> None:
    before = present()
    assert edit(owner, in_use, **change) == 303
    assert present() == before
    assert "Trámites" in authority.get("/authority").text
    decision = f"/authority/applications/{in_use}"
    assert authority.post(f"{decision}/approve", data=seen(authority, in_use)).status_code == 303
    assert present() != before
    assert authority.get(decision).status_code == 404
    with_tags = owner.get(f"/agency/applications/{in_use}").text
    assert "Waiting for the authority" not in with_tags


def test_taking_away_and_contacts_and_keys_are_the_owners(owner: FlaskClient, in_use: str, present: Any) -> None:
    salida = "https://tramites.example.cl/salida"
    assert edit(owner, in_use, contacts="eva@example.cl", backchannel_logout_uri=salida) == 303
    assert present().options == {"backchannel_logout_uri": salida}
    assert "eva@example.cl" in owner.get(f"/agency/applications/{in_use}").text


def test_both_see_what_is_different(owner: FlaskClient, authority: FlaskClient, in_use: str) -> None:
    assert edit(owner, in_use, redirect_uris=NEW) == 303
    for page in (
        owner.get(f"/agency/applications/{in_use}").text,
        authority.get(f"/authority/applications/{in_use}").text,
    ):
        assert OLD in page
        assert NEW in page
    # A second one has to wait, and what was asked may be taken back.
    assert edit(owner, in_use, name="Otro nombre") == 422
    for _twice in range(2):
        assert owner.post(f"/agency/applications/{in_use}/request/withdraw").status_code == 303
    assert authority.get(f"/authority/applications/{in_use}").status_code == 404
    assert edit(owner, in_use, name="Otro nombre") == 303


def test_what_was_not_seen_is_not_approved(
    owner: FlaskClient, authority: FlaskClient, in_use: str, present: Any
) -> None:
    decision = f"/authority/applications/{in_use}/approve"
    assert edit(owner, in_use, redirect_uris=NEW) == 303
    harmless = seen(authority, in_use)
    owner.post(f"/agency/applications/{in_use}/request/withdraw")
    assert edit(owner, in_use, redirect_uris="https://malo.example/") == 303
    for wrong in (harmless, {"seen": ""}, {}, {"seen": "0" * 64}):
        assert authority.post(decision, data=wrong).status_code == 422
    assert present().redirect_uris == (OLD,)


def test_what_changes_under_the_eyes_is_not_approved(
    app: Flask, owner: FlaskClient, authority: FlaskClient, in_use: str, present: Any
) -> None:
    """In the sandbox everything may be changed, also while the authority is reading."""
    with app.app_context():
        act_as(Principal(kind="operator", id="test", name="El operador"))
        kept = registration_of(session().scalars(select(Client).where(Client.client_id == in_use)).one())
        session().rollback()
        made = a_client(
            "standard",
            name="Nueva",
            redirect_uris=[OLD],
            post_logout_redirect_uris=[],
            owner="agency:AE001",
            scopes=["openid", "run"],
            scope_reasons=kept.scope_reasons,
            contacts=["ana@example.cl"],
        )
        client_id = made.client.client_id
    assert (
        owner.post(f"/agency/applications/{client_id}/environment", data={"environment": "production"}).status_code
        == 303
    )
    read = seen(authority, client_id)
    assert edit(owner, client_id, name="Nueva", redirect_uris="https://malo.example/") == 303
    assert authority.post(f"/authority/applications/{client_id}/approve", data=read).status_code == 422
    assert (
        authority.post(f"/authority/applications/{client_id}/approve", data=seen(authority, client_id)).status_code
        == 303
    )


def test_it_is_given_back_with_a_reason(owner: FlaskClient, authority: FlaskClient, in_use: str, present: Any) -> None:
    assert edit(owner, in_use, redirect_uris=NEW) == 303
    remark = "Esa dirección no es de su organismo."
    assert authority.post(f"/authority/applications/{in_use}/return", data={"remark": remark}).status_code == 303
    assert present().redirect_uris == (OLD,)
    assert remark in owner.get(f"/agency/applications/{in_use}").text


def test_nobody_else_asks_or_decides(app: Flask, owner: FlaskClient, in_use: str, present: Any) -> None:
    other, publisher = official_of(app, "AE002"), official_of(app, "AE001", "publisher")
    for path, data in (("edit", FORM | {"redirect_uris": NEW}), ("request/withdraw", {})):
        assert other.post(f"/agency/applications/{in_use}/{path}", data=data).status_code == 404
        assert publisher.post(f"/agency/applications/{in_use}/{path}", data=data).status_code == 403
    assert edit(owner, in_use, redirect_uris=NEW) == 303
    for path in ("approve", "return"):
        assert owner.post(f"/authority/applications/{in_use}/{path}", data={"remark": "x" * 20}).status_code == 403
    assert other.post(f"/agency/applications/{in_use}/request/withdraw").status_code == 404
    assert present().redirect_uris == (OLD,)


def test_no_other_door_leads_around_the_authority(app: Flask, in_use: str) -> None:
    with app.app_context():
        act_as(Principal(kind="machine", id="x", name="Un sistema"))
        with pytest.raises(NeedsApproval):
            change_registration(propose(any_client(in_use), redirect_uris=[NEW]))


def test_a_change_that_is_not_ready_is_told(owner: FlaskClient, in_use: str) -> None:
    for change in (
        {"scopes": ["run", "email"]},
        {"redirect_uris": NEW, "contacts": ""},
        {"redirect_uris": "http://localhost:5000/"},
    ):
        assert edit(owner, in_use, **change) == 422, change


def test_a_key_changed_meanwhile_stays(
    app: Flask, owner: FlaskClient, authority: FlaskClient, in_use: str, present: Any
) -> None:
    assert edit(owner, in_use, redirect_uris=f"{OLD}\n{NEW}") == 303
    salida = "https://tramites.example.cl/salida"
    assert edit(owner, in_use, backchannel_logout_uri=salida) == 303
    data = seen(authority, in_use)
    assert authority.post(f"/authority/applications/{in_use}/approve", data=data).status_code == 303
    assert (present().redirect_uris, present().options["backchannel_logout_uri"]) == ((OLD, NEW), salida)
    with app.app_context():
        tags = list(session().scalars(select(AuditEvent.tag).where(AuditEvent.subject == f"client:{in_use}")))
    assert {"identity:client:change-asked", "identity:client:change-approved"} <= set(tags)


def test_nothing_of_a_revoked_application_is_decided(
    app: Flask, owner: FlaskClient, authority: FlaskClient, in_use: str
) -> None:
    assert edit(owner, in_use, redirect_uris=NEW) == 303
    data = seen(authority, in_use)
    with app.app_context():
        revoke_client(in_use)
    assert authority.post(f"/authority/applications/{in_use}/approve", data=data).status_code == 404
    with app.app_context():
        assert session().scalars(select(ClientReview.status)).one() == "waiting"


def test_people_are_told_when_others_know_them_by_the_same_identifier(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
        shared, own = a_client("standard", sector="public"), a_client("standard", sector="application")
    sign_in(client, person)
    headers = {"Accept-Language": "en"}
    said = "by an identifier that other applications know too"
    for made, is_said in ((shared, True), (own, False)):
        page = authorize(client, made)
        assert (said in client.get(page.request.full_path, headers=headers).text) is is_said
        decide(client, page, "allow")
    assert client.get("/account/applications", headers=headers).text.count(said) == 1


def test_of_an_approval_and_a_withdrawal_at_once_one_counts(
    app: Flask, owner: FlaskClient, authority: FlaskClient, in_use: str, present: Any
) -> None:
    for number in range(3):
        before = present().redirect_uris
        added = f"{NEW}/{number}"
        assert edit(owner, in_use, redirect_uris="\n".join([*before, added])) == 303
        data, start = seen(authority, in_use), Barrier(2)

        def post(browser: FlaskClient, path: str, start: Barrier = start, data: dict[str, str] = data) -> int:
            start.wait()
            return browser.post(path, data=data).status_code

        with ThreadPoolExecutor(2) as both:
            approved = both.submit(post, authority, f"/authority/applications/{in_use}/approve")
            withdrawn = both.submit(post, owner, f"/agency/applications/{in_use}/request/withdraw")
        assert withdrawn.result() == 303
        assert approved.result() in (303, 404)
        with app.app_context():
            query = select(ClientReview.status).order_by(ClientReview.asked_at.desc()).limit(1)
            state = session().scalars(query).one()
        assert state == ("approved" if approved.result() == 303 else "withdrawn")
        assert (added in present().redirect_uris) is (state == "approved")


def test_the_authority_has_a_list_of_all_applications(app: Flask, owner: FlaskClient, authority: FlaskClient) -> None:
    with app.app_context():
        a_client("standard", name="De un desarrollador", owner="developer:1")
    page = authority.get("/authority/applications/all", headers={"Accept-Language": "es"}).text
    assert "Trámites" in page
    assert "Organismo AE001" in page
    assert "Un desarrollador en pruebas" in page
    assert 'href="/authority/applications/all" aria-current="page"' in page
    assert owner.get("/authority/applications/all").status_code == 403
