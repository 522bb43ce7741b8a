"""A change whose connection is lost at the commit exists whole or not at all, and asking again makes it once."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from builders.apps import under_test
from builders.catalogue import CONSUMER, OWNER, a_caller, a_published_service, a_purpose, with_fakes
from builders.catalogue import an_official as a_publisher
from builders.clients import a_client, a_code, a_system, basic, machine_token, redeem, tokens_for
from builders.commits import Proxy, When
from builders.forms import hidden_inputs
from builders.gateway import Consumer, Provider
from builders.identity import a_person, an_agency, an_official, sign_in, sign_in_for
from builders.interoperability import Network, a_manifest, a_pdf, described, signed, upload
from builders.pictures import a_png
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from catalogue.agreements.actions import request_agreement
from catalogue.agreements.rules import AlreadyAgreed
from identity.officials.actions import appoint
from identity.openid.token_endpoint.issuance_log import write_waiting
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.database.db import ENGINE, new_session
from kernel.database.outage import CommitUnconfirmed
from kernel.jobs.access import act_as
from kernel.jobs.jobs import run_worker
from portal.app import create_app

both = pytest.mark.parametrize("when", ["before", "after"])


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    found = Proxy(database_url)
    yield found
    found.close()


@pytest.fixture
def app(settings: Settings, proxy: Proxy) -> Iterator[Flask]:
    """The whole application, which reaches its database over the network that can hang up."""
    application = under_test(create_app(replace(settings, database_url=proxy.url)))
    yield application
    ENGINE.of(application).dispose()


def count(app: Flask, query: str) -> int:
    with app.app_context(), new_session() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {query}")) or 0)


def files(app: Flask) -> list[Path]:
    folder: Path = SETTINGS.of(app).data_dir / "documents"
    return [path for path in folder.rglob("*") if path.is_file()]


def assert_unconfirmed(answer: TestResponse) -> None:
    """Neither done nor not done: the caller is told how to find out."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"]
    assert "unconfirmed" in answer.text


@both
def test_a_communication_keeps_its_documents_and_is_sent_once(app: Flask, proxy: Proxy, when: When) -> None:
    network = Network(app)
    parts = a_pdf(), [("a.txt", b"uno")]
    token = signed(
        a_manifest([described("o.pdf", parts[0], "main"), described("a.txt", b"uno", "annex", "text/plain")]),
        network.key,
    )

    def send() -> TestResponse:
        return network.send(main=parts[0], annexes=parts[1], token=token, headers={"Idempotency-Key": "one"})

    with proxy.hanging_up("INSERT INTO communication", when):
        assert_unconfirmed(send())
    assert count(app, "communication") == (when == "after")
    again = send()
    assert again.status_code == 201
    assert ("Idempotency-Replayed" in again.headers) == (when == "after")
    assert count(app, "communication") == 1
    for document in again.get_json()["documents"]:
        path = document["href"].removeprefix("/api/v1")
        assert network.get("AE002", path).status_code == 200


@both
def test_a_communication_of_a_page_keeps_its_documents(app: Flask, proxy: Proxy, when: When) -> None:
    with app.app_context():
        officials = {code: an_official(an_agency(code), "correspondent") for code in ("AE001", "AE002")}
    sender, addressee = app.test_client(), app.test_client()
    sign_in_for(sender, officials["AE001"], "AE001")
    sign_in_for(addressee, officials["AE002"], "AE002")
    form = {"addressee": "AE002", "person_name": "", "reference": "Solicita antecedentes", "type": "letter"}
    form |= {"authority_name": "María Pérez", "authority_post": "Directora", "summary": "Se piden."}
    form |= {"classification": "public"}

    new = "/agency/communications/new"
    review = sender.post(new, data={**form, "document": upload("", a_pdf()).get("document")})

    def send() -> TestResponse:
        return sender.post(new, data=hidden_inputs(review.text, new) | {"step": "send"})

    with proxy.hanging_up("INSERT INTO communication ", when):
        assert_unconfirmed(send())
    assert len(files(app)) == 1
    if when == "before":
        assert send().status_code == 303
    box = addressee.get("/agency/communications").text
    code = "COM-" + box.split("/agency/communications/COM-")[1].split('"')[0]
    assert count(app, "communication") == 1
    assert addressee.get(f"/agency/communications/{code}/documents/1").data == a_pdf()


@both
def test_a_document_that_is_missing_or_damaged_is_a_problem_and_no_bare_page(
    app: Flask, proxy: Proxy, when: When
) -> None:
    network = Network(app)
    code = network.sent()
    [path] = files(app)
    path.unlink() if when == "before" else path.write_bytes(b"%PDF- something else")
    answer = network.get("AE002", f"/communications/{code}/documents/1")
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert answer.get_json()["type"].endswith("/problems/document-damaged")


@pytest.mark.parametrize("size", [100, 3 * 1024 * 1024])
@pytest.mark.parametrize("fate", ["missing", "damaged"])
def test_a_person_reads_in_plain_words_that_a_document_is_damaged(app: Flask, fate: str, size: int) -> None:
    network = Network(app)
    code = network.sent(main=a_pdf("x" * size))
    [path] = files(app)
    with app.app_context():
        reader = an_official("AE002", "correspondent")
    browser = app.test_client()
    sign_in_for(browser, reader, "AE002")
    path.unlink() if fate == "missing" else path.write_bytes(path.read_bytes().replace(b"x", b"y", 1))
    before = REGISTRY.get_sample_value("cordillera_documents_damaged_total") or 0
    page = browser.get(f"/agency/communications/{code}/documents/1")
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert "Este documento está dañado" in page.text
    assert page.headers["X-Request-Id"] in page.text
    assert REGISTRY.get_sample_value("cordillera_documents_damaged_total") == before + 1


@both
def test_a_page_is_whole_although_the_connection_is_lost_when_it_is_done(
    app: Flask, client: FlaskClient, proxy: Proxy, when: When
) -> None:
    assert client.get("/catalogue").status_code == 200
    with proxy.hanging_up("FROM service", when):
        assert client.get("/catalogue").status_code == 200
    assert client.get("/catalogue").status_code == 200


@both
def test_a_picture_is_shown_once(app: Flask, client: FlaskClient, proxy: Proxy, when: When) -> None:
    with app.app_context():
        agency = an_agency()
        official = an_official(agency)
        made = a_client("standard", owner="agency:AE001")
    sign_in_for(client, official, agency)

    def change() -> TestResponse:
        data = {"logo": upload("", a_png()).get("document")}
        return client.post(f"/agency/applications/{made.client.client_id}/logo", data=data)

    with proxy.hanging_up("INSERT INTO logo", when):
        assert_unconfirmed(change())
    assert change().status_code == 303
    assert count(app, "logo") == 1
    assert count(app, "audit_event WHERE tag = 'identity:logo:stored'") == 1


@both
def test_what_systems_were_issued_is_on_record_once(app: Flask, client: FlaskClient, proxy: Proxy, when: When) -> None:
    with app.app_context():
        an_agency()
        system = a_system()
    machine_token(client, system)
    with proxy.hanging_up("INSERT INTO audit_event", when), pytest.raises(DBAPIError):
        write_waiting(app)
    machine_token(client, system)
    write_waiting(app)
    query = "audit_event, jsonb_array_elements(detail->'tokens') WHERE tag = 'identity:machine-token:issued'"
    assert count(app, query) == 2


@both
def test_a_sign_in_whose_answer_is_lost_is_asked_for_again_and_harms_nothing(
    app: Flask, client: FlaskClient, proxy: Proxy, when: When
) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
    with proxy.hanging_up("INSERT INTO sign_in_session", when):
        assert_unconfirmed(sign_in(client, person))
    assert sign_in(client, person).status_code == 303
    assert count(app, "sign_in_session") == 1 + (when == "after")


@both
def test_a_refresh_whose_answer_is_lost_is_repeated_within_its_grace(
    app: Flask, client: FlaskClient, proxy: Proxy, when: When
) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("standard", scopes=["openid", "offline_access"])
    sign_in(client, person)
    given = tokens_for(client, made, scope="openid offline_access")
    form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}

    def refresh() -> TestResponse:
        return client.post("/openid/token", data=form, headers=basic(made.client.client_id, made.secret))

    with proxy.hanging_up("refresh_token", when):
        answer = refresh()
        assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    again = refresh()
    assert again.status_code == 200
    assert count(app, "refresh_token WHERE used_at IS NULL") == 1


@both
def test_a_code_whose_answer_is_lost_gives_tokens_once_or_not_at_all(
    app: Flask, client: FlaskClient, proxy: Proxy, when: When
) -> None:
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("standard")
    sign_in(client, person)
    code = a_code(client, made)
    with proxy.hanging_up("UPDATE authorization_code", when):
        assert redeem(client, made, code).status_code == 503
    assert redeem(client, made, code).status_code == (200 if when == "before" else 400)


@both
@pytest.mark.parametrize("lost", ["INSERT INTO written_mail", "procrastinate_finish_job"])
def test_a_mail_is_written_once_however_often_its_jobs_run(app: Flask, proxy: Proxy, when: When, lost: str) -> None:
    network = Network(app)
    with app.app_context():
        person = a_person(email="juan@example.cl")
        appoint("AE002", str(person.run), "correspondent")
    code = network.sent()
    with proxy.hanging_up(lost, when):
        run_worker(app, until_empty=True)
    for _attempt in range(3):
        with app.app_context(), new_session() as session:
            session.execute(text("UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = NULL"))
            session.commit()
        run_worker(app, until_empty=True)
    folder: Path = SETTINGS.of(app).data_dir / "mail"
    mails = [path.read_text() for path in folder.glob("*.eml")]
    assert [code in mail for mail in mails] == [True]


@both
def test_a_logout_that_is_told_once_more_has_the_same_name(settings: Settings, proxy: Proxy, when: When) -> None:
    heard: list[str] = []

    class Application(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    address = f"localhost:{listening.server_address[1]}"
    app = under_test(create_app(replace(settings, outbound_allowed=frozenset({address}), database_url=proxy.url)))
    client = app.test_client()
    with app.app_context():
        person = a_person(is_test_person=True)
        made = a_client("standard", options={"backchannel_logout_uri": f"http://{address}/salida"})
    sign_in(client, person)
    tokens_for(client, made)
    client.post("/openid/end-session/confirm")
    with proxy.hanging_up("INSERT INTO audit_event", when):
        run_worker(app, until_empty=True)
    with app.app_context(), new_session() as session:
        session.execute(text("UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = NULL"))
        session.commit()
    run_worker(app, until_empty=True)
    names = [claims_in(parse_qs(one)["logout_token"][0])["jti"] for one in heard]
    # What was noted is not sent again; what was not goes out under the same name.
    assert len(names) == (2 if when == "before" else 1)
    assert len(set(names)) == 1
    ENGINE.of(app).dispose()
    listening.shutdown()
    listening.server_close()


def claims_in(token: str) -> dict[str, Any]:
    """The claims of a token, as somebody reads it who trusts its sender."""
    found: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


@both
def test_an_agreement_is_requested_once(app: Flask, proxy: Proxy, when: When) -> None:
    with_fakes(app)
    a_caller(app)
    with app.app_context():
        service = a_published_service(OWNER)
        asking = a_publisher(CONSUMER)
        act_as(asking)
        with proxy.hanging_up("INSERT INTO agreement", when), pytest.raises(CommitUnconfirmed):
            request_agreement(asking, service.code, "v1", a_purpose())
        if when == "after":
            with pytest.raises(AlreadyAgreed):
                request_agreement(asking, service.code, "v1", a_purpose())
        else:
            request_agreement(asking, service.code, "v1", a_purpose())
    assert count(app, "agreement") == 1


@both
def test_a_call_that_could_not_be_written_down_is_not_made(settings: Settings, proxy: Proxy, when: When) -> None:
    provider = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    provider.seen = []  # type: ignore[attr-defined]  # as the builders' provider keeps it
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    address = f"localhost:{provider.server_address[1]}"
    changed = replace(settings, outbound_allowed=frozenset({address}), database_url=proxy.url)
    app = under_test(create_app(changed))
    consumer = Consumer(app, address)
    with proxy.hanging_up("INSERT INTO gateway_call", when):
        assert_unconfirmed(consumer.call())
    assert provider.seen == []  # type: ignore[attr-defined]
    with proxy.hanging_up("UPDATE gateway_call", when):
        assert consumer.call().status_code == 200
    assert len(provider.seen) == 1  # type: ignore[attr-defined]
    last = consumer.calls()[-1]
    assert last.status == 200, "it is said once more"
    ENGINE.of(app).dispose()
    provider.shutdown()
    provider.server_close()
