"""Pages in which an agency describes a service and the authority decides on it."""

import io
import re

import pytest
from builders.catalogue import (
    AUTHORITY,
    CONSUMER,
    OWNER,
    Caller,
    a_service,
    an_official,
)
from builders.catalogue_pages import DRAFT, get, post, published, submitted, with_document
from flask import Flask

from kernel.jobs.access import Principal


class TestDescribing:
    def test_a_mistake_keeps_what_was_typed(self, caller: Caller) -> None:
        page = post(caller, an_official(OWNER), "/agency/services/new", with_document(contact="nobody", version="one"))
        assert page.status_code == 422
        assert "Permisos de circulación" in page.text
        assert "Write an e-mail address" in page.text
        assert "Write the letter v and a number" in page.text

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
