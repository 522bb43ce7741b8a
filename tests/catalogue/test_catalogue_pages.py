"""Pages of the catalogue, through the whole application: from a description to the credentials of a consumer."""

import re
from uuid import uuid4

import pytest
from builders.catalogue import (
    AUTHORITY,
    CONSUMER,
    OWNER,
    Caller,
    FakeClients,
    a_machine,
    a_service,
    an_official,
    an_openapi_document,
)
from builders.catalogue_pages import NOBODY, active, get, post, published, submitted, with_document
from flask import Flask

from kernel.jobs.access import Principal


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


def test_whoever_is_signed_out_finds_the_way_in_beside_how_to_use_a_service(app: Flask, caller: Caller) -> None:
    code = published(app)
    page = get(caller, NOBODY, f"/catalogue/{code}").text
    assert f'href="/sign-in?next=/catalogue/{code}"' in page.split("How to use this service")[1].split("</div>")[0]
    someone = Principal(kind="person", id=str(uuid4()), name="Ana", has_agencies=True)
    assert f'href="/agency?next=/catalogue/{code}"' in get(caller, someone, f"/catalogue/{code}").text


def test_an_empty_table_looks_like_every_other_empty_page(app: Flask, caller: Caller) -> None:
    page = get(caller, an_official(OWNER), "/agency/exchanges").text
    assert "table-empty" not in page
    assert page.count('class="empty-state"') == 2
