"""Pages in which agencies ask for agreements, answer and end them."""

import pytest
from builders.catalogue import (
    CONSUMER,
    OWNER,
    STRANGER,
    Caller,
    an_official,
)
from builders.catalogue_pages import active, get, post, published, requested
from flask import Flask


def test_a_wrong_request_keeps_what_was_typed(app: Flask, caller: Caller) -> None:
    address = f"/agency/agreements/new?service={published(app)}&version=v1"
    page = post(caller, an_official(CONSUMER), address, {"purpose": "Mi finalidad", "daily_calls": "many"})
    assert page.status_code == 422
    assert "Mi finalidad" in page.text
    assert "Choose yes or no" in page.text


def test_a_second_one_is_told_in_the_form(app: Flask, caller: Caller) -> None:
    address = f"/agency/agreements/new?service={published(app)}&version=v1"
    asked = {"purpose": "Renovar", "legal_basis": "Ley", "personal_data": "no", "daily_calls": "1"}
    first = post(caller, an_official(CONSUMER), address, asked)
    second = post(caller, an_official(CONSUMER), address, asked)
    assert second.status_code == 422
    assert first.location.rsplit("/", 1)[1] in second.text


def test_reasons_are_asked_for_on_a_page_of_their_own(app: Flask, caller: Caller) -> None:
    code, by = requested(app), an_official(OWNER)
    assert "Refuse the request" in get(caller, by, f"/agency/agreements/{code}/refuse").text
    empty = post(caller, by, f"/agency/agreements/{code}", {"step": "refuse", "reasons": ""})
    assert empty.status_code == 422
    assert post(caller, by, f"/agency/agreements/{code}", {"step": "refuse", "reasons": "No"}).status_code == 303
    assert post(caller, by, f"/agency/agreements/{code}", {"step": "approve"}).status_code == 409


@pytest.mark.parametrize("step", ["", "destroy", "requested"])
def test_a_step_of_ones_own_making_is_a_404(app: Flask, caller: Caller, step: str) -> None:
    assert post(caller, an_official(OWNER), f"/agency/agreements/{active(app)}", {"step": step}).status_code == 404


def test_another_agencys_agreement_is_a_404(app: Flask, caller: Caller) -> None:
    code, by = active(app), an_official(STRANGER)
    for path in ("", "/usage", "/end"):
        assert get(caller, by, f"/agency/agreements/{code}{path}").status_code == 404
    assert post(caller, by, f"/agency/agreements/{code}", {"step": "end", "reasons": "x"}).status_code == 404
    assert post(caller, by, f"/agency/agreements/{code}/credentials").status_code == 404


def test_the_owner_makes_no_credentials(app: Flask, caller: Caller) -> None:
    code = active(app)
    assert post(caller, an_official(OWNER), f"/agency/agreements/{code}/credentials").status_code == 404
    assert "Create the credentials" not in get(caller, an_official(OWNER), f"/agency/agreements/{code}").text


def test_the_list_opens_where_something_waits(app: Flask, caller: Caller) -> None:
    code = requested(app)
    assert "1 to answer" in get(caller, an_official(OWNER), "/agency/agreements").text
    assert code in get(caller, an_official(OWNER), "/agency/agreements").text
    assert code in get(caller, an_official(CONSUMER), "/agency/agreements").text
    assert "uses no service yet" in get(caller, an_official(STRANGER), "/agency/agreements").text


def test_the_page_of_use_says_when_there_is_none(app: Flask, caller: Caller) -> None:
    assert "No calls yet" in get(caller, an_official(OWNER), f"/agency/agreements/{active(app)}/usage").text


def test_an_agreement_without_credentials_says_so_and_offers_to_make_them(app: Flask, caller: Caller) -> None:
    code, administrator = active(app), an_official(CONSUMER)
    page = get(caller, administrator, f"/agency/agreements/{code}").text
    credentials = page.split('id="credentials"')[1].split("</section>")[0]
    assert "There are no credentials yet" in credentials
    assert "Not given" not in credentials
    assert "Create the credentials" in credentials
