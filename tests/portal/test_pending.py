"""Pending decisions, over all blocks: one list for people, and one for an agency's systems."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from builders.catalogue import a_published_service, a_purpose
from builders.clients import a_client, a_client_in_use, a_system, machine_token
from builders.identity import an_agency, an_official, sign_in_for
from builders.interoperability import AE001, AE002, Network
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from catalogue.agreements.actions import request_agreement
from identity.clients.client_reviews.actions import change_fields
from identity.clients.ownership_transfers.actions import offer
from identity.clients.registry.queries import any_client
from identity.clients.token_exchange_policies.actions import ask_exchange
from identity.clients.token_exchange_policies.rules import Wish
from kernel.base import clock
from kernel.base.parties import Party
from kernel.database.db import session
from kernel.jobs.access import Principal, act_as
from kernel.outside.messages import Recipient

OPERATOR = Principal("operator", "test", "El operador")
ASKING = Principal("official", "1", "Ana", AE002, frozenset({"administrator", "publisher"}))
OFFERED = "Es el formulario que encargaron."
TO_AE001 = ("agreement-request", "ownership-transfer", "token-exchange-request")


@pytest.fixture
def waiting(app: Flask) -> dict[str, str]:
    """One of each kind: the paths where AE001, AE002 and the authority AE900 decide, by kind."""
    network = Network(app)
    communication = network.sent()
    with app.app_context():
        act_as(OPERATOR)
        an_agency("AE900", "La Autoridad", is_authority=True)
        application = a_client_in_use("https://a.example.cl/").client.client_id
        target = a_client("standard", "Registro", owner="agency:AE001", environment="sandbox").client.client_id
        actor = a_client("standard", "Portal", owner="agency:AE002", environment="sandbox").client.client_id
        offered = a_client("standard", "Formulario", owner="developer:0190a0b0-0000-7000-8000-000000000001")
        service = a_published_service(AE001)
        act_as(ASKING)
        agreement = request_agreement(ASKING, service.code, "v1", a_purpose())
        exchange = ask_exchange(Party.agency("AE002"), actor, target, Wish(("run",), OFFERED))
        change_fields(any_client(application), name="Otro nombre")
        developer = Recipient("eva@example.cl", "es")
        offer(offered.client.client_id, "AE001", OFFERED, owner=offered.client.owner, developer=developer)
        return {
            "agreement-request": f"/agency/agreements/{agreement.code}",
            "token-exchange-request": f"/agency/exchanges/{exchange.id}",
            "ownership-transfer": f"/agency/adoptions/{offered.client.client_id}",
            "client-review": f"/authority/applications/{application}",
            "communication-to-download": f"/agency/communications/{communication}",
        }


def official(app: Flask, code: str, *roles: str) -> FlaskClient:
    browser = app.test_client()
    with app.app_context():
        act_as(OPERATOR)
        person = an_official(code, *roles)
    sign_in_for(browser, person, code)
    return browser


def listed(browser: FlaskClient, path: str = "/agency/pending") -> list[str]:
    page = browser.get(path)
    assert page.status_code == 200, page.text
    table = page.text.partition("<tbody")[2].partition("</tbody>")[0]
    return [html.unescape(found) for found in re.findall(r'href="([^"]+)"', table)]


@pytest.mark.parametrize(
    ("code", "roles", "kinds"),
    [
        ("AE001", ("administrator",), TO_AE001),
        ("AE001", ("publisher",), ("agreement-request",)),
        ("AE001", ("correspondent",), ()),
        ("AE002", ("correspondent",), ("communication-to-download",)),
        ("AE002", ("administrator", "publisher"), ()),
        ("AE900", ("administrator",), ("client-review",)),
        ("AE900", ("publisher",), ()),
    ],
)
def test_everybody_sees_what_they_may_decide_and_nothing_else(
    app: Flask, waiting: dict[str, str], code: str, roles: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    browser = official(app, code, *roles)
    found = listed(browser)
    assert sorted(found) == sorted(waiting[kind] for kind in kinds)
    for path in found:
        assert browser.get(path).status_code == 200, path
    home = browser.get("/agency").text.split('id="tasks"')[1].split("</section>")[0]
    assert home.count("<dt>") == len(kinds)


def test_only_officials_who_act_for_an_agency_have_a_list(app: Flask, client: FlaskClient) -> None:
    assert client.get("/agency/pending").status_code == 303


def test_what_is_overdue_comes_first_and_then_the_oldest(app: Flask, waiting: dict[str, str]) -> None:
    browser = official(app, "AE001", "administrator")
    oldest = ["agreement-request", "token-exchange-request", "ownership-transfer"]
    assert listed(browser) == [waiting[kind] for kind in oldest]
    with app.app_context():
        session().execute(text("UPDATE adoption_request SET answer_by = now() - interval '1 day'"))
        session().commit()
    assert listed(browser) == [waiting[kind] for kind in ("ownership-transfer", *oldest[:2])]
    assert browser.get("/agency/pending", headers={"Accept-Language": "en"}).text.count("Overdue") == 1


def system_of(app: Flask, client: FlaskClient, code: str, scope: str = "decisions.read") -> dict[str, str]:
    with app.app_context():
        act_as(OPERATOR)
        made = a_system(code, (scope,))
    return {"Authorization": f"Bearer {machine_token(client, made)}"}


def pages(client: FlaskClient, headers: dict[str, str], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    path = f"/api/v1/pending-decisions?limit={limit}"
    while path:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        found += answer.get_json()["items"]
        path = (
            answer.headers["Link"].split(">")[0].removeprefix("<http://localhost") if answer.get_json()["next"] else ""
        )
    return found


def test_an_agencys_system_reads_all_that_waits_for_the_agency(
    app: Flask, client: FlaskClient, waiting: dict[str, str]
) -> None:
    headers = system_of(app, client, "AE001")
    for limit in (1, 2, 25):
        found = pages(client, headers, limit)
        assert [one["kind"] for one in found] == ["agreement-request", "token-exchange-request", "ownership-transfer"]
    first = found[0]
    assert first["href"] == f"http://localhost{waiting['agreement-request']}"
    assert (first["party"], first["roles"]) == ("agency:AE001", ["administrator", "publisher"])
    assert (first["is_overdue"], found[1]["due"]) == (False, None)
    assert first["due"] > first["since"]
    with clock.shifted(timedelta(days=60)):
        late = system_of(app, client, "AE001")
        assert [one["is_overdue"] for one in pages(client, late, 2)] == [True, True, False]


def test_the_authoritys_own_system_reads_what_waits_for_the_authority(
    app: Flask, client: FlaskClient, waiting: dict[str, str]
) -> None:
    (found,) = pages(client, system_of(app, client, "AE900"), 25)
    assert (found["kind"], found["roles"]) == ("client-review", ["authority"])


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=0", "limit=101", "limit=x"])
def test_what_cannot_be_read_is_refused(app: Flask, client: FlaskClient, waiting: dict[str, str], query: str) -> None:
    headers = system_of(app, client, "AE001")
    assert client.get(f"/api/v1/pending-decisions?{query}", headers=headers).status_code == 422


def test_the_list_needs_its_scope(app: Flask, client: FlaskClient, waiting: dict[str, str]) -> None:
    assert client.get("/api/v1/pending-decisions").status_code == 401
    other = system_of(app, client, "AE001", "communications.send")
    assert client.get("/api/v1/pending-decisions", headers=other).status_code == 403
