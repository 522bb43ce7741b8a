"""A developer's application leaves the sandbox with an agency, and nobody else decides that."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from builders.following import follow_up
from builders.identity import an_agency, an_official, sign_in_for
from builders.sandbox import APPLICATION, a_developer, an_application
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, text

from identity.clients.ownership_transfers.models import OwnershipTransfer
from identity.clients.registry.models import Client
from identity.clients.registry.queries import client_with_secret, registered_client
from kernel.base import clock
from kernel.base.ids import new_id
from kernel.database.db import session
from kernel.recording.audit import AuditEvent
from kernel.recording.lifecycle import note_passed_deadline

OFFER = {"agency": "ae001", "reason": "Es el formulario que su equipo encargó."}


@pytest.fixture
def agencies(app: Flask) -> None:
    with app.app_context():
        for code in ("AE001", "AE002"):
            an_agency(code, f"Organismo {code}")


@pytest.fixture
def developer(client: FlaskClient, agencies: None) -> FlaskClient:
    a_developer(client)
    return client


def official_of(app: Flask, code: str, role: str = "administrator") -> FlaskClient:
    browser = app.test_client()
    with app.app_context():
        person = an_official(code, role)
    sign_in_for(browser, person, code)
    return browser


@pytest.fixture
def ours(app: Flask, agencies: None) -> FlaskClient:
    return official_of(app, "AE001")


def offer(developer: FlaskClient, client_id: str, **changed: str) -> int:
    return developer.post(f"/sandbox/applications/{client_id}/adoption", data=OFFER | changed).status_code


def mails(app: Flask) -> list[tuple[str, str]]:
    query = "SELECT args->>'to', args->>'subject' FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'"
    with app.app_context():
        follow_up()
        return [(row[0], row[1]) for row in session().execute(text(query))]


def seen_on(page: str) -> dict[str, str]:
    found = re.search(r'name="seen" value="([0-9a-f]{64})"', page)
    assert found, page
    return {"seen": found[1]}


def state_of(app: Flask, client_id: str) -> list[str]:
    with app.app_context():
        query = select(OwnershipTransfer.status).where(OwnershipTransfer.client_id == client_id)
        return list(session().scalars(query.order_by(OwnershipTransfer.asked_at)))


def test_an_agency_takes_it_over(app: Flask, developer: FlaskClient, ours: FlaskClient) -> None:
    client_id, secret = an_application(developer)
    assert developer.get(f"/sandbox/applications/{client_id}/adoption").status_code == 200
    assert offer(developer, client_id) == 303
    assert (
        "maria@example.cl",
        "Una persona que desarrolla ofrece a su organismo la aplicación «Trámites de Ñuble»",
    ) in mails(app)
    assert "Trámites de Ñuble" in ours.get("/agency/adoptions").text
    page = ours.get(f"/agency/adoptions/{client_id}").text
    seen = seen_on(page)
    assert OFFER["reason"] in page
    assert "eva@example.cl" in page
    taken = ours.post(f"/agency/adoptions/{client_id}/accept", data=seen)
    assert taken.status_code == 200
    new = re.findall(r"<code>([\w-]{43})</code>", taken.text)[0]
    with app.app_context():
        found = client_with_secret(client_id, new)
        assert found is not None
        # What the developer knows opens nothing any more, and nothing leads back into the sandbox.
        assert client_with_secret(client_id, secret) is None
        assert (str(found.owner), found.sector, found.environment) == ("agency:AE001", "agency:AE001", "sandbox")
        assert found.redirect_uris == ("http://localhost:5000/callback", "https://tramites.example.cl/entrada")
        tags = set(session().scalars(select(AuditEvent.tag).where(AuditEvent.subject == f"client:{client_id}")))
    assert {"identity:client:adoption-offered", "identity:client:adopted"} <= tags
    for path in ("", "/edit", "/try", "/adoption", "/delete"):
        assert developer.get(f"/sandbox/applications/{client_id}{path}").status_code == 404, path
    for path in ("/secret", "/delete", "/adoption/withdraw"):
        assert developer.post(f"/sandbox/applications/{client_id}{path}").status_code == 404, path
    assert "AE001" in developer.get("/sandbox/applications").text
    assert ours.get(f"/agency/applications/{client_id}").status_code == 200
    assert ("eva@example.cl", "«Trámites de Ñuble» fue recibida por el organismo") in mails(app)
    assert ours.post(f"/agency/adoptions/{client_id}/accept").status_code == 404


@pytest.mark.parametrize("changed", [{"redirect_uris": "https://tramites.evil.example/"}, {"name": "Impuestos"}])
def test_what_its_developer_changed_under_the_eyes_is_not_taken_over(
    app: Flask, developer: FlaskClient, ours: FlaskClient, changed: dict[str, str]
) -> None:
    client_id, secret = an_application(developer)
    assert offer(developer, client_id) == 303
    path = f"/agency/adoptions/{client_id}"
    seen = seen_on(ours.get(path).text)
    assert developer.post(f"/sandbox/applications/{client_id}/edit", data=APPLICATION | changed).status_code == 303
    for data in (seen, {}, {"seen": "0" * 64}):
        refused = ours.post(f"{path}/accept", data=data)
        assert refused.status_code == 422
        assert "cambió" in refused.text
    with app.app_context():
        assert client_with_secret(client_id, secret) is not None
    assert ours.post(f"{path}/accept", data=seen_on(ours.get(path).text)).status_code == 200


def test_nobody_else_takes_or_declines_it(app: Flask, developer: FlaskClient, ours: FlaskClient) -> None:
    client_id, _secret = an_application(developer)
    answers: list[tuple[str, dict[str, Any]]] = [("accept", {}), ("decline", {"remark": "No es de nuestro organismo."})]
    # Before it was offered, nobody; afterwards, only the agency's administrators.
    for path, data in answers:
        assert ours.post(f"/agency/adoptions/{client_id}/{path}", data=data).status_code == 404
    assert offer(developer, client_id) == 303
    others, publisher = official_of(app, "AE002"), official_of(app, "AE001", "publisher")
    stranger = app.test_client()
    for path, data in answers:
        assert others.post(f"/agency/adoptions/{client_id}/{path}", data=data).status_code == 404
        assert publisher.post(f"/agency/adoptions/{client_id}/{path}", data=data).status_code == 403
        assert stranger.post(f"/agency/adoptions/{client_id}/{path}", data=data).status_code == 401
        assert developer.post(f"/agency/adoptions/{client_id}/{path}", data=data).status_code in (401, 403)
    assert others.get(f"/agency/adoptions/{client_id}").status_code == 404
    assert "Trámites" not in others.get("/agency/adoptions").text
    assert state_of(app, client_id) == ["waiting"]


def test_only_its_developer_offers_it_and_once(app: Flask, developer: FlaskClient) -> None:
    client_id, _secret = an_application(developer)
    for wrong in ({"agency": "AE999"}, {"agency": ""}, {"agency": "\x00"}, {"reason": "corto"}, {"reason": "x" * 501}):
        assert offer(developer, client_id, **wrong) == 422, wrong
    assert mails(app)[1:] == []
    stranger = app.test_client()
    a_developer(stranger, "otra@example.cl")
    assert offer(stranger, client_id) == 404
    assert stranger.get(f"/sandbox/applications/{client_id}/adoption").status_code == 404
    assert offer(developer, client_id) == 303
    assert offer(developer, client_id) == 422
    assert offer(developer, client_id, agency="AE002") == 422
    assert stranger.post(f"/sandbox/applications/{client_id}/adoption/withdraw").status_code == 404
    assert state_of(app, client_id) == ["waiting"]


def test_an_offer_is_taken_back_or_declined_and_made_again(
    app: Flask, developer: FlaskClient, ours: FlaskClient
) -> None:
    client_id, secret = an_application(developer)
    assert offer(developer, client_id) == 303
    for _twice in range(2):
        assert developer.post(f"/sandbox/applications/{client_id}/adoption/withdraw").status_code == 303
    assert ours.post(f"/agency/adoptions/{client_id}/accept").status_code == 404
    assert offer(developer, client_id) == 303
    path = f"/agency/adoptions/{client_id}/decline"
    assert ours.post(path, data={"remark": "corto"}).status_code == 422
    assert ours.post(path, data={"remark": "No es de nuestro organismo."}).status_code == 303
    assert "No es de nuestro organismo." in developer.get(f"/sandbox/applications/{client_id}").text
    assert offer(developer, client_id) == 303
    assert state_of(app, client_id) == ["withdrawn", "declined", "waiting"]
    with app.app_context():
        assert client_with_secret(client_id, secret) is not None


def test_what_was_deleted_is_not_taken_over(app: Flask, developer: FlaskClient, ours: FlaskClient) -> None:
    client_id, _secret = an_application(developer)
    assert offer(developer, client_id) == 303
    assert developer.post(f"/sandbox/applications/{client_id}/delete").status_code == 303
    assert "Trámites" not in ours.get("/agency/adoptions").text
    assert ours.post(f"/agency/adoptions/{client_id}/accept").status_code == 404
    with app.app_context():
        assert registered_client(client_id) is None


def deadline_jobs() -> list[tuple[datetime, dict[str, str]]]:
    query = (
        "SELECT scheduled_at, args FROM procrastinate_jobs WHERE task_name = 'kernel:lifecycle:deadline' ORDER BY id"
    )
    return [(row[0], row[1]) for row in session().execute(text(query))]


def test_an_offer_that_nobody_answers_ends_and_can_be_made_again(
    app: Flask, developer: FlaskClient, ours: FlaskClient
) -> None:
    client_id, _secret = an_application(developer)
    assert offer(developer, client_id) == 303
    with app.app_context():
        ((due, arguments),) = deadline_jobs()
        assert due == session().scalars(select(OwnershipTransfer)).one().answer_by
        note_passed_deadline(**arguments)
    assert state_of(app, client_id) == ["waiting"]
    with app.app_context(), clock.shifted(due - clock.now()):
        for _attempt in range(2):  # a worker may die between its commit and the end of its job
            note_passed_deadline(**arguments)
        ended = select(AuditEvent).where(AuditEvent.tag == "identity:client:adoption-expired")
        assert session().scalars(ended).one().subject == f"client:{client_id}"
    assert state_of(app, client_id) == ["expired"]
    told = "«Trámites de Ñuble» no fue recibida: nadie respondió dentro del plazo"
    assert [subject for to, subject in mails(app) if to == "eva@example.cl"].count(told) == 1
    assert ours.get(f"/agency/adoptions/{client_id}").status_code == 404
    assert ours.post(f"/agency/adoptions/{client_id}/accept").status_code == 404
    page = developer.get(f"/sandbox/applications/{client_id}", headers={"Accept-Language": "en"}).text
    assert "AE001 did not answer in time" in page
    assert offer(developer, client_id) == 303
    assert state_of(app, client_id) == ["expired", "waiting"]


def test_an_answer_and_the_end_of_its_term_at_once_leave_one_of_them(
    app: Flask, developer: FlaskClient, ours: FlaskClient
) -> None:
    client_id, _secret = an_application(developer)
    assert offer(developer, client_id) == 303
    seen, start = seen_on(ours.get(f"/agency/adoptions/{client_id}").text), Barrier(2)
    with app.app_context():
        ((due, arguments),) = deadline_jobs()

    def answer() -> int:
        start.wait()
        return ours.post(f"/agency/adoptions/{client_id}/accept", data=seen).status_code

    def expire() -> None:
        start.wait()
        with app.app_context():
            note_passed_deadline(**arguments)

    with clock.shifted(due - clock.now()), ThreadPoolExecutor(2) as both:
        answered, expired = both.submit(answer), both.submit(expire)
        expired.result()
    assert state_of(app, client_id) == ["accepted" if answered.result() == 200 else "expired"]


def many_offers(count: int) -> None:
    """Applications of other developers that were offered to AE001 yesterday."""
    like = dict(session().execute(select(Client.__table__)).mappings().one())
    clients = [like | {"id": new_id(), "client_id": f"{number:032x}"} for number in range(count)]
    session().connection().execute(insert(Client.__table__), clients)  # type: ignore[arg-type]
    said = {"agency_code": "AE001", "state": "waiting", "developer": "otra@example.cl"}
    said |= {"developer_language": "es", "reason": OFFER["reason"]}
    asked = [
        said | {"id": new_id(), "client_id": one["client_id"], "asked_at": clock.now() - timedelta(days=1)}
        for one in clients
    ]
    session().connection().execute(insert(OwnershipTransfer.__table__), asked)  # type: ignore[arg-type]
    session().commit()


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_an_offer_behind_two_hundred_others_is_looked_at_and_answered(
    app: Flask, developer: FlaskClient, ours: FlaskClient, answer: str
) -> None:
    client_id, _secret = an_application(developer)
    with app.app_context():
        many_offers(200)
    assert offer(developer, client_id) == 303
    path = f"/agency/adoptions/{client_id}"
    page = ours.get(path)
    assert page.status_code == 200
    if answer == "accept":
        assert ours.post(f"{path}/accept", data={"seen": "0" * 64}).status_code == 422
        assert ours.post(f"{path}/accept", data=seen_on(page.text)).status_code == 200
    else:
        assert ours.post(f"{path}/decline", data={"remark": "corto"}).status_code == 422
        assert ours.post(f"{path}/decline", data={"remark": "No es de nuestro organismo."}).status_code == 303
    assert state_of(app, client_id) == ["accepted" if answer == "accept" else "declined"]
    # The one that waits longest is still the first of the list.
    assert f"/agency/adoptions/{0:032x}" in ours.get("/agency/adoptions").text
