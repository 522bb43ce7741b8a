"""Pages of the catalogue and of agreements, through the whole application."""

import io
import json
import re
from typing import Any

import pytest
from builders.catalogue import (
    AUTHORITY,
    CONSUMER,
    OWNER,
    STRANGER,
    Caller,
    FakeClients,
    a_machine,
    a_published_service,
    a_request,
    a_service,
    an_agreement,
    an_official,
    an_openapi_document,
)
from flask import Flask
from werkzeug.test import TestResponse

from catalogue.services import actions
from kernel.access import Principal

NOBODY = Principal()
DRAFT = {
    "name": "Permisos de circulación",
    "description": "Consulta de permisos vigentes.",
    "kind": "api",
    "obligation": "optional",
    "contact": "soporte@territorio.example",
    "version": "v1",
    "base_url": "https://api.territorio.example/permisos",
}


def with_document(document: Any = None, **changed: str) -> dict[str, Any]:
    content = document if isinstance(document, bytes) else json.dumps(document or an_openapi_document()).encode()
    return {**DRAFT, **changed, "openapi": (io.BytesIO(content), "openapi.json")}


def post(caller: Caller, by: Principal, path: str, data: Any = None) -> TestResponse:
    return caller.acting(by).post(path, data=data or {}, headers={"Accept-Language": "en"})


def get(caller: Caller, by: Principal, path: str) -> TestResponse:
    return caller.acting(by).get(path, headers={"Accept-Language": "en"})


def submitted(app: Flask) -> str:
    with app.app_context():
        service = a_service()
        actions.submit_version(an_official(OWNER), service.code, "v1")
        return service.code


def published(app: Flask) -> str:
    with app.app_context():
        return a_published_service().code


def requested(app: Flask) -> str:
    with app.app_context():
        return a_request().code


def active(app: Flask) -> str:
    with app.app_context():
        return an_agreement().code


class TestTheWholeWay:
    def test_from_a_description_to_credentials(self, app: Flask, caller: Caller, clients: FakeClients) -> None:
        publisher, consumer, reviewer = an_official(OWNER), an_official(CONSUMER), an_official(AUTHORITY)
        made = post(caller, publisher, "/agency/services/new", with_document())
        assert made.status_code == 303
        code = made.location.rsplit("/", 1)[1]
        assert "Draft" in get(caller, publisher, made.location).text
        assert post(caller, publisher, f"/agency/services/{code}/versions/v1/submit").status_code == 303
        assert f"/catalogue/{code}" not in get(caller, NOBODY, "/catalogue").text
        review = get(caller, reviewer, f"/authority/services/{code}/v1").text
        assert "/permisos/{patente}" in review
        seen = re.search(r'name="seen" value="([^"]+)"', review)
        assert seen
        approved = post(caller, reviewer, f"/authority/services/{code}/v1/approve", {"seen": seen[1]})
        assert approved.status_code == 303
        assert code in get(caller, NOBODY, "/catalogue?q=permisos+circulacion").text

        address = f"/agency/agreements/new?service={code}&amp;version=v1"
        assert address in get(caller, consumer, f"/catalogue/{code}").text
        asked = post(
            caller,
            consumer,
            address.replace("&amp;", "&"),
            {"purpose": "Renovar", "legal_basis": "Ley 18.290", "personal_data": "yes", "daily_calls": "100"},
        )
        assert asked.status_code == 303
        agreement = asked.location
        assert "Approve it" in get(caller, publisher, agreement).text
        assert "Approve it" not in get(caller, consumer, agreement).text
        assert post(caller, publisher, agreement, {"step": "approve"}).status_code == 303
        shown = post(caller, consumer, f"{agreement}/credentials")
        assert "the-secret" in shown.text
        assert shown.headers["Cache-Control"] == "no-store"
        assert "the-secret" not in get(caller, consumer, agreement).text
        assert clients.made[0]["binding"]["service"] == code


class TestTheCatalogue:
    def test_it_says_when_it_is_empty_and_when_nothing_fits(self, app: Flask, caller: Caller) -> None:
        assert "still empty" in get(caller, NOBODY, "/catalogue").text
        published(app)
        assert "Nothing found" in get(caller, NOBODY, "/catalogue?q=cementerio").text
        assert "Nothing found" in get(caller, NOBODY, "/catalogue?kind=nothing").text

    def test_it_filters_by_kind_and_owner(self, app: Flask, caller: Caller) -> None:
        code = published(app)
        assert code in get(caller, NOBODY, f"/catalogue?kind=api&owner={OWNER.code}").text
        assert code not in get(caller, NOBODY, "/catalogue?kind=data").text

    @pytest.mark.parametrize("query", ["q=%00", "q=%ff", "kind=%00", "owner=%00", "q=" + "x" * 3000, "q='"])
    def test_no_query_breaks_it(self, caller: Caller, query: str) -> None:
        assert get(caller, NOBODY, f"/catalogue?{query}").status_code == 200

    def test_a_wrong_cursor_is_told(self, caller: Caller) -> None:
        assert get(caller, NOBODY, "/catalogue?cursor=x").status_code == 422

    def test_what_agencies_write_is_escaped(self, app: Flask, caller: Caller) -> None:
        script = "<script>alert(1)</script>"
        document = an_openapi_document(
            **{f"/{script}": {"get": {"summary": script, "responses": {"200": {"description": "x"}}}}}
        )
        made = post(
            caller, an_official(OWNER), "/agency/services/new", with_document(document, name=script, description=script)
        )
        page = get(caller, an_official(OWNER), made.location).text
        assert script not in page
        assert "&lt;script&gt;" in page

    @pytest.mark.parametrize("path", ["/catalogue/SRV-000000", "/catalogue/x", "/catalogue/SRV-000001%00"])
    def test_what_does_not_exist_is_a_404(self, caller: Caller, path: str) -> None:
        assert get(caller, NOBODY, path).status_code == 404

    def test_a_draft_is_a_404_for_everyone_else(self, app: Flask, caller: Caller) -> None:
        with app.app_context():
            code = a_service().code
        for by in (NOBODY, an_official(CONSUMER), an_official(AUTHORITY)):
            assert get(caller, by, f"/catalogue/{code}").status_code == 404
        assert get(caller, an_official(OWNER), f"/catalogue/{code}").status_code == 200


class TestDescribing:
    def test_a_mistake_keeps_what_was_typed(self, caller: Caller) -> None:
        page = post(caller, an_official(OWNER), "/agency/services/new", with_document(contact="nobody", version="one"))
        assert page.status_code == 422
        assert "Permisos de circulación" in page.text
        assert "An e-mail address" in page.text
        assert "The letter v and a number" in page.text

    def test_a_document_that_does_not_parse_is_told_with_its_line(self, caller: Caller) -> None:
        page = post(caller, an_official(OWNER), "/agency/services/new", with_document(b"openapi: 3.1.0\ninfo: [1"))
        assert page.status_code == 422
        assert "Line 3" in page.text

    def test_a_document_of_more_than_a_megabyte_is_told(self, caller: Caller) -> None:
        page = post(caller, an_official(OWNER), "/agency/services/new", with_document(b" " * (1024 * 1024 + 1)))
        assert page.status_code == 422
        assert "larger than 1 MB" in page.text

    @pytest.mark.parametrize("megabytes", [2, 3, 40])
    def test_a_document_that_is_far_too_large_is_told_beside_its_field(self, caller: Caller, megabytes: int) -> None:
        by = an_official(OWNER)
        page = post(caller, by, "/agency/services/new", with_document(b" " * (megabytes * 1024 * 1024 + 1)))
        assert page.status_code == 422
        assert re.search(r'id="openapi-error"[^>]*>[^<]*(<[^>]*>)*[^<]*larger than 1 MB', page.text)
        assert "Consulta de permisos vigentes." in page.text
        assert "https://api.territorio.example/permisos" in page.text

    def test_what_no_form_may_have_is_told_its_limit(self, caller: Caller) -> None:
        page = post(caller, an_official(OWNER), "/agency/services/new", with_document(b" " * (65 * 1024 * 1024)))
        assert page.status_code == 413
        assert "At most 64 MB may be sent here." in page.text

    def test_an_empty_document_is_told_to_be_empty(self, app: Flask, caller: Caller) -> None:
        with app.app_context():
            code = a_service().code
        by = an_official(OWNER)
        version = {"version": "v1", "base_url": ""}
        for address, fields in (
            ("/agency/services/new", DRAFT),
            (f"/agency/services/{code}/versions/new", {**version, "version": "v2"}),
            (f"/agency/services/{code}/versions/v1/edit", version),
        ):
            page = post(caller, by, address, {**fields, "openapi": (io.BytesIO(b""), "openapi.yaml")})
            assert page.status_code == 422, address
            assert "The document is empty" in page.text

    def test_swagger_is_told_to_be_converted_and_what_came_is_there_to_look_at(self, caller: Caller) -> None:
        document = {"swagger": "2.0", "info": {"title": "A", "version": "1"}, "paths": {}}
        made = post(caller, an_official(OWNER), "/agency/services/new", with_document(document))
        page = get(caller, an_official(OWNER), made.location).text
        assert "It was converted to OpenAPI 3.0, and that is what is published." in page
        assert "The document as the agency sent it (Swagger 2.0)" in page
        (original,) = re.findall(r'href="([^"]*/openapi/original)"', page)
        assert get(caller, an_official(OWNER), original).get_json() == document

    def test_every_operation_is_listed_or_counted(self, caller: Caller) -> None:
        operation = {"responses": {"200": {"description": "x"}}}
        many = {f"/a{n}": {"get": operation} for n in range(620)}
        document = {"openapi": "3.0.3", "info": {"title": "A", "version": "1"}, "paths": many}
        made = post(caller, an_official(OWNER), "/agency/services/new", with_document(document))
        page = get(caller, an_official(OWNER), made.location).text
        assert "These are the first 500 of 620 operations." in page

    def test_operations_of_openapi_3_2_are_listed(self, caller: Caller) -> None:
        operation = {"responses": {"200": {"summary": "x"}}}
        item = {"query": operation, "additionalOperations": {"PURGE": operation}}
        document = {"openapi": "3.2.0", "info": {"title": "A", "version": "1"}, "paths": {"/a": item}}
        made = post(caller, an_official(OWNER), "/agency/services/new", with_document(document))
        page = get(caller, an_official(OWNER), made.location).text
        assert "QUERY" in page
        assert "PURGE" in page

    def test_an_incomplete_version_leads_to_its_form(self, caller: Caller) -> None:
        by = an_official(OWNER)
        made = post(caller, by, "/agency/services/new", {**DRAFT, "base_url": ""})
        answer = post(caller, by, f"{made.location}/versions/v1/submit")
        assert answer.location.endswith("/versions/v1/edit")
        page = get(caller, by, answer.location).text
        assert "OpenAPI document is missing" in page

    def test_editing_keeps_the_document_that_is_there(self, app: Flask, caller: Caller) -> None:
        with app.app_context():
            code = a_service().code
        by = an_official(OWNER)
        address = f"/agency/services/{code}/versions/v1/edit"
        assert "https://api.territorio.example/permisos" in get(caller, by, address).text
        edited = post(caller, by, address, {"version": "v1", "base_url": "https://api.territorio.example/nueva"})
        assert edited.status_code == 303
        page = get(caller, by, edited.location).text
        assert "/nueva" in page
        assert "/permisos/{patente}" in page

    def test_description_and_new_version_have_forms(self, app: Flask, caller: Caller) -> None:
        code, by = published(app), an_official(OWNER)
        assert "Permisos de circulación" in get(caller, by, f"/agency/services/{code}/edit").text
        assert post(caller, by, f"/agency/services/{code}/edit", {**DRAFT, "name": "Otro"}).status_code == 303
        assert 'value="v2"' in get(caller, by, f"/agency/services/{code}/versions/new").text
        taken = post(caller, by, f"/agency/services/{code}/versions/new", with_document(version="v1"))
        assert taken.status_code == 422
        assert "already has this version" in taken.text
        assert post(caller, by, f"/agency/services/{code}/versions/new", with_document(version="v2")).status_code == 303

    def test_a_published_version_has_no_way_to_change(self, app: Flask, caller: Caller) -> None:
        code = published(app)
        answer = post(caller, an_official(OWNER), f"/agency/services/{code}/versions/v1/edit", with_document())
        assert answer.status_code == 422
        assert "not possible now" in answer.text


class TestDeciding:
    def test_it_is_returned_with_reasons_and_not_without(self, app: Flask, caller: Caller) -> None:
        code, by = submitted(app), an_official(AUTHORITY)
        assert code in get(caller, by, "/authority/services").text
        empty = post(caller, by, f"/authority/services/{code}/v1/return", {"reasons": " "})
        assert empty.status_code == 422
        assert post(caller, by, f"/authority/services/{code}/v1/return", {"reasons": "Falta X"}).status_code == 303
        assert "Falta X" in get(caller, an_official(OWNER), f"/agency/services/{code}").text

    def test_a_page_open_for_too_long_decides_nothing(self, app: Flask, caller: Caller) -> None:
        code, by = submitted(app), an_official(AUTHORITY)
        stale = {"seen": "2020-01-01T00:00:00+00:00"}
        assert post(caller, by, f"/authority/services/{code}/v1/approve", stale).status_code == 409

    @pytest.mark.parametrize("by", [an_official(OWNER), an_official(AUTHORITY, "publisher"), an_official(CONSUMER)])
    def test_only_the_authority_decides(self, app: Flask, caller: Caller, by: Principal) -> None:
        code = submitted(app)
        for path in ("approve", "return"):
            assert post(caller, by, f"/authority/services/{code}/v1/{path}", {"reasons": "x"}).status_code == 403
        assert get(caller, by, "/authority/services").status_code == 403
        assert get(caller, by, f"/authority/services/{code}/v1").status_code == 403


class TestAgreements:
    def test_a_wrong_request_keeps_what_was_typed(self, app: Flask, caller: Caller) -> None:
        address = f"/agency/agreements/new?service={published(app)}&version=v1"
        page = post(caller, an_official(CONSUMER), address, {"purpose": "Mi finalidad", "daily_calls": "many"})
        assert page.status_code == 422
        assert "Mi finalidad" in page.text
        assert "Choose yes or no" in page.text

    def test_a_second_one_is_told_in_the_form(self, app: Flask, caller: Caller) -> None:
        address = f"/agency/agreements/new?service={published(app)}&version=v1"
        asked = {"purpose": "Renovar", "legal_basis": "Ley", "personal_data": "no", "daily_calls": "1"}
        first = post(caller, an_official(CONSUMER), address, asked)
        second = post(caller, an_official(CONSUMER), address, asked)
        assert second.status_code == 422
        assert first.location.rsplit("/", 1)[1] in second.text

    def test_reasons_are_asked_for_on_a_page_of_their_own(self, app: Flask, caller: Caller) -> None:
        code, by = requested(app), an_official(OWNER)
        assert "Refuse the request" in get(caller, by, f"/agency/agreements/{code}/refuse").text
        empty = post(caller, by, f"/agency/agreements/{code}", {"step": "refuse", "reasons": ""})
        assert empty.status_code == 422
        assert post(caller, by, f"/agency/agreements/{code}", {"step": "refuse", "reasons": "No"}).status_code == 303
        assert post(caller, by, f"/agency/agreements/{code}", {"step": "approve"}).status_code == 409

    @pytest.mark.parametrize("step", ["", "destroy", "requested"])
    def test_a_step_of_ones_own_making_is_a_404(self, app: Flask, caller: Caller, step: str) -> None:
        assert post(caller, an_official(OWNER), f"/agency/agreements/{active(app)}", {"step": step}).status_code == 404

    def test_another_agencys_agreement_is_a_404(self, app: Flask, caller: Caller) -> None:
        code, by = active(app), an_official(STRANGER)
        for path in ("", "/usage", "/end"):
            assert get(caller, by, f"/agency/agreements/{code}{path}").status_code == 404
        assert post(caller, by, f"/agency/agreements/{code}", {"step": "end", "reasons": "x"}).status_code == 404
        assert post(caller, by, f"/agency/agreements/{code}/credentials").status_code == 404

    def test_the_owner_makes_no_credentials(self, app: Flask, caller: Caller) -> None:
        code = active(app)
        assert post(caller, an_official(OWNER), f"/agency/agreements/{code}/credentials").status_code == 404
        assert "Make the credentials" not in get(caller, an_official(OWNER), f"/agency/agreements/{code}").text

    def test_the_list_opens_where_something_waits(self, app: Flask, caller: Caller) -> None:
        code = requested(app)
        assert "1 to answer" in get(caller, an_official(OWNER), "/agency/agreements").text
        assert code in get(caller, an_official(OWNER), "/agency/agreements").text
        assert code in get(caller, an_official(CONSUMER), "/agency/agreements").text
        assert "uses no service yet" in get(caller, an_official(STRANGER), "/agency/agreements").text

    def test_the_page_of_use_says_when_there_is_none(self, app: Flask, caller: Caller) -> None:
        assert "No calls yet" in get(caller, an_official(OWNER), f"/agency/agreements/{active(app)}/usage").text


CORRESPONDENT = an_official(OWNER, "correspondent")


@pytest.mark.parametrize(
    "path",
    [
        "/agency/services/new",
        "/agency/services/SRV-000001/edit",
        "/agency/agreements/new?service=SRV-000001&version=v1",
    ],
)
def test_a_correspondent_does_not_publish_nor_agree(caller: Caller, path: str) -> None:
    assert get(caller, CORRESPONDENT, path).status_code == 403
    assert post(caller, CORRESPONDENT, path).status_code == 403
    assert get(caller, NOBODY, path).status_code == 303


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_page_speaks_the_readers_language(app: Flask, caller: Caller, language: str) -> None:
    service, agreement, waiting = published(app), active(app), submitted(app)
    owner, consumer, authority = an_official(OWNER), an_official(CONSUMER), an_official(AUTHORITY)
    visits = [
        (NOBODY, "/catalogue"),
        (NOBODY, f"/catalogue/{service}"),
        (owner, "/agency/services"),
        (owner, f"/agency/services/{service}"),
        (owner, "/agency/services/new"),
        (owner, f"/agency/services/{service}/edit"),
        (owner, f"/agency/services/{service}/versions/new"),
        (authority, "/authority/services"),
        (authority, f"/authority/services/{waiting}/v1"),
        (owner, "/agency/agreements"),
        (consumer, f"/agency/agreements/new?service={service}&version=v1"),
        (consumer, f"/agency/agreements/{agreement}"),
        (consumer, f"/agency/agreements/{agreement}/end"),
        (consumer, f"/agency/agreements/{agreement}/usage"),
    ]
    for by, path in visits:
        page = caller.acting(by).get(path, headers={"Accept-Language": language})
        assert page.status_code == 200, path
        assert f'<html lang="{language}' in page.text, path
        assert page.text.count("<h1") == 1, path


def test_a_machine_never_opens_a_page_of_officials(caller: Caller) -> None:
    machine = a_machine(OWNER, "catalogue.publish")
    assert get(caller, machine, "/agency/services").status_code == 403


def test_an_agreement_without_credentials_says_so_and_offers_to_make_them(app: Flask, caller: Caller) -> None:
    code, administrator = active(app), an_official(CONSUMER)
    page = get(caller, administrator, f"/agency/agreements/{code}").text
    credentials = page.split('id="credentials"')[1].split("</section>")[0]
    assert "There are no credentials yet" in credentials
    assert "Not given" not in credentials
    assert "Make the credentials" in credentials


def test_whoever_is_signed_out_finds_the_way_in_beside_how_to_use_a_service(app: Flask, caller: Caller) -> None:
    code = published(app)
    page = get(caller, NOBODY, f"/catalogue/{code}").text
    assert f'href="/sign-in?next=/catalogue/{code}"' in page.split("How to use this service")[1].split("</div>")[0]
    someone = Principal(kind="person", id="1", name="Ana", has_agencies=True)
    assert f'href="/agency?next=/catalogue/{code}"' in get(caller, someone, f"/catalogue/{code}").text


def test_an_empty_table_looks_like_every_other_empty_page(app: Flask, caller: Caller) -> None:
    page = get(caller, an_official(OWNER), "/agency/exchanges").text
    assert "table-empty" not in page
    assert page.count('class="empty-state"') == 2
