"""The pages of officials and of the authority, and the public list."""

from datetime import date

import pytest
from builders.clients import a_system, machine_token
from builders.identity import a_person, an_agency, an_official, end_functions, sign_in, sign_in_for
from flask import Flask
from flask.testing import FlaskClient

from identity.agencies.actions import create_agency
from identity.officials.queries import appointments_of, officials_of
from identity.people.models import Person
from kernel.base import clock
from kernel.jobs.access import current_principal


@pytest.fixture
def administrator(app: Flask) -> Person:
    """Administrator of AE001; AE002 has one of its own."""
    with app.app_context():
        administrator = an_official(an_agency("AE001", "Servicio Uno"))
        an_official(an_agency("AE002", "Servicio Dos"))
        return administrator


@pytest.fixture
def authority(app: Flask) -> Person:
    with app.app_context():
        return an_official(an_agency("AE900", "Gobierno Digital", is_authority=True))


def administrators_of(app: Flask, code: str) -> list[str]:
    with app.app_context():
        return [str(official.person_id) for official in officials_of(code, "administrator")]


def appointment_of(app: Flask, code: str, person_id: object) -> str:
    """The identifier of a person's first appointment."""
    with app.app_context():
        return next(str(one.id) for one, person in appointments_of(code) if str(person.id) == str(person_id))


def test_an_official_chooses_whom_to_act_for(client: FlaskClient, administrator: Person) -> None:
    sign_in(client, administrator)
    assert client.post("/agency/members").status_code == 403
    page = client.get("/agency").text
    assert "Servicio Uno" in page
    assert "Servicio Dos" not in page
    assert client.post("/agency", data={"agency": "AE001"}).location == "/agency"
    with client:
        assert "Servicio Uno" in client.get("/account").text, "on every page"
        principal = current_principal()
    assert (principal.kind, principal.acting_agency.code, principal.roles) == (
        "official",
        "AE001",
        frozenset({"administrator"}),
    )
    client.post("/agency/leave")
    with client:
        client.get("/account")
        assert current_principal().kind == "person"


def test_the_title_says_whom_one_acts_for(client: FlaskClient, administrator: Person) -> None:
    def title() -> str:
        return client.get("/agency").text.split("<h1>")[1].split("</h1>")[0]

    sign_in(client, administrator)
    assert title() == "Actuar por un organismo"
    assert "Sus roles aquí" not in client.get("/agency").text, "this person acts for none yet"
    client.post("/agency", data={"agency": "AE001"})
    assert title() == "Servicio Uno"


def test_choosing_goes_on_to_a_path_of_this_site_only(client: FlaskClient, administrator: Person) -> None:
    sign_in(client, administrator)
    for wanted, target in [("/agency/members", "/agency/members"), ("//evil.example", "/"), ("/\\evil", "/")]:
        assert client.post("/agency", data={"agency": "AE001", "next": wanted}).location == target


@pytest.mark.parametrize("code", ["AE002", "AE999", "", "ae001", "AE001'", "AE001\x00", "\x00"])
def test_nobody_acts_for_an_agency_that_is_not_theirs(client: FlaskClient, administrator: Person, code: str) -> None:
    sign_in(client, administrator)
    assert client.post("/agency", data={"agency": code}).status_code == 404
    with client:
        client.get("/account")
        assert current_principal().kind == "person"


def test_a_role_taken_away_counts_from_the_next_request_on(
    app: Flask, client: FlaskClient, administrator: Person
) -> None:
    sign_in_for(client, administrator, "AE001")
    with app.app_context():
        an_official("AE001")
        end_functions("AE001", administrator)
    assert client.get("/agency/members").status_code == 403
    assert "Servicio Uno" not in client.get("/agency").text


def test_a_citizen_is_told_what_to_do(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        citizen = a_person()
    sign_in(client, citizen)
    assert "no pertenece a ningún organismo" in client.get("/agency").text


def test_an_administrator_adds_and_removes_members(app: Flask, client: FlaskClient, administrator: Person) -> None:
    with app.app_context():
        newcomer = a_person()
    sign_in_for(client, administrator, "AE001")
    assert client.post("/agency/members", data={"run": str(newcomer.run), "function": "publisher"}).status_code == 303
    assert str(newcomer.run) in client.get("/agency/members").text
    assert client.post(f"/agency/members/{appointment_of(app, 'AE001', newcomer.id)}/end").status_code == 303
    page = client.get("/agency/members").text
    assert str(newcomer.run) not in page
    assert newcomer.name in page, "among those who held it"


@pytest.mark.parametrize("run", ["12.345.678-9", "11.111.111-1", ""])
def test_a_member_that_cannot_be_is_told_at_the_run(client: FlaskClient, administrator: Person, run: str) -> None:
    sign_in_for(client, administrator, "AE001")
    answer = client.post("/agency/members", data={"run": run, "function": "publisher"})
    assert answer.status_code == 422
    assert 'id="run-error"' in answer.text


def test_no_role_that_is_no_function_can_be_posted(client: FlaskClient, administrator: Person) -> None:
    sign_in_for(client, administrator, "AE001")
    data = {"run": str(administrator.run), "function": "authority"}
    assert client.post("/agency/members", data=data).status_code == 422


def test_the_last_administrator_is_told_so(app: Flask, client: FlaskClient, administrator: Person) -> None:
    sign_in_for(client, administrator, "AE001")
    assert client.post(f"/agency/members/{appointment_of(app, 'AE001', administrator.id)}/end").status_code == 303
    assert "la única que administra" in client.get("/agency").text
    assert administrators_of(app, "AE001") == [str(administrator.id)]


def test_members_of_another_agency_are_not_there(app: Flask, client: FlaskClient, administrator: Person) -> None:
    sign_in_for(client, administrator, "AE001")
    other = administrators_of(app, "AE002")[0]
    assert client.post(f"/agency/members/{appointment_of(app, 'AE002', other)}/end").status_code == 404
    assert administrators_of(app, "AE002") == [other]


@pytest.mark.parametrize("role", ["publisher", "correspondent"])
def test_only_administrators_see_the_members(app: Flask, client: FlaskClient, role: str) -> None:
    with app.app_context():
        official = an_official(an_agency(), role)
    sign_in_for(client, official, "AE001")
    assert client.get("/agency/members").status_code == 403
    assert client.get("/agency").status_code == 200


AUTHORITY_PATHS = ["/authority/agencies", "/authority/agencies/new", "/authority/agencies/AE001"]


@pytest.mark.parametrize("path", AUTHORITY_PATHS)
def test_only_the_authority_sees_all_agencies(client: FlaskClient, administrator: Person, path: str) -> None:
    assert client.get(path).status_code == 303
    sign_in_for(client, administrator, "AE001")
    assert client.get(path).status_code == 403


def test_the_authority_registers_an_agency_and_its_administrator(
    app: Flask, client: FlaskClient, authority: Person
) -> None:
    with app.app_context():
        first = a_person()
    sign_in_for(client, authority, "AE900")
    answer = client.post("/authority/agencies/new", data={"code": "ae010", "name": "Servicio Diez"})
    assert answer.location == "/authority/agencies/AE010"
    data = {"run": str(first.run), "function": "administrator"}
    assert client.post("/authority/agencies/AE010", data=data).status_code == 303
    assert str(first.run) in client.get("/authority/agencies/AE010").text
    assert administrators_of(app, "AE010") == [str(first.id)]
    change = {"name": "Servicio de Diez", "kind": "service", "parent": "AE900", "norm": "Decreto 7"}
    assert client.post("/authority/agencies/AE010/change", data=change).status_code == 303
    assert "Servicio de Diez" in client.get("/authority/agencies").text
    assert (
        client.post(f"/authority/agencies/AE010/members/{appointment_of(app, 'AE010', first.id)}/end").status_code
        == 303
    )
    assert administrators_of(app, "AE010") == [str(first.id)], "the last one stays"


def test_a_duplicate_code_is_told_at_its_field(client: FlaskClient, authority: Person) -> None:
    sign_in_for(client, authority, "AE900")
    answer = client.post("/authority/agencies/new", data={"code": "AE900", "name": "Otro Servicio"})
    assert answer.status_code == 409
    assert 'id="code-error"' in answer.text
    assert 'value="Otro Servicio"' in answer.text
    assert "Otro Servicio" not in client.get("/authority/agencies").text


@pytest.mark.parametrize("data", [{}, {"code": "x", "name": "Y"}, {"code": "AE010", "name": " "}])
def test_an_agency_that_cannot_be_is_refused(client: FlaskClient, authority: Person, data: dict[str, str]) -> None:
    sign_in_for(client, authority, "AE900")
    assert client.post("/authority/agencies/new", data=data).status_code == 422


@pytest.mark.parametrize("path", ["/authority/agencies/AE999", "/authority/agencies/AE999/change"])
def test_an_agency_that_does_not_exist_is_not_there(client: FlaskClient, authority: Person, path: str) -> None:
    sign_in_for(client, authority, "AE900")
    assert client.get(path).status_code == 404
    data = {"run": str(authority.run), "function": "publisher", "name": "Nadie", "kind": "service"}
    assert client.post(path, data=data).status_code == 404


def test_a_publisher_of_the_authority_is_not_the_authority(app: Flask, client: FlaskClient, authority: Person) -> None:
    with app.app_context():
        publisher = an_official("AE900", "publisher")
    sign_in_for(client, publisher, "AE900")
    assert client.get("/authority/agencies").status_code == 403


@pytest.mark.usefixtures("administrator")
def test_the_list_of_agencies_is_public(client: FlaskClient) -> None:
    first = client.get("/api/v1/agencies?limit=1")
    assert first.json
    assert [(one["code"], one["name"]) for one in first.json["items"]] == [("AE001", "Servicio Uno")]
    rest = client.get("/api/v1/agencies", query_string={"cursor": first.json["next"]}).json
    assert rest
    assert (rest["items"][0]["code"], rest["next"]) == ("AE002", None)
    assert client.get("/api/v1/agencies/AE002").json == {
        "code": "AE002",
        "name": "Servicio Dos",
        "kind": "service",
        "parent": None,
        "valid_from": clock.today().isoformat(),
        "valid_until": None,
        "successor": None,
    }


@pytest.mark.usefixtures("administrator")
def test_the_tree_of_any_day_is_public(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        create_agency("AE004", "Ministerio", kind="ministry", valid_from=date(2000, 1, 1), norm="Ley 1")
        create_agency("AE003", "Servicio Tres", parent="AE004", valid_from=date(2010, 1, 1))

    def codes(query: str) -> list[str]:
        answer = client.get(f"/api/v1/agencies?{query}").json
        assert answer
        return [one["code"] for one in answer["items"]]

    assert codes("on=2009-12-31") == ["AE004"]
    assert codes("on=2010-01-01&parent=AE004") == ["AE003"]
    assert codes("kind=ministry") == ["AE004"]
    changes = client.get("/api/v1/agencies/AE004/changes").json
    assert changes
    assert (changes["items"][0]["counts_from"], changes["items"][0]["norm"]) == ("2000-01-01", "Ley 1")
    assert changes["items"][0]["changed"]["kind"] == "ministry"


@pytest.mark.usefixtures("administrator")
def test_systems_read_the_functions_of_an_agency(app: Flask, client: FlaskClient) -> None:
    assert client.get("/api/v1/agencies/AE001/functions").status_code == 401
    with app.app_context():
        made = a_system("AE002")
    token = {"Authorization": f"Bearer {machine_token(client, made)}"}
    answer = client.get("/api/v1/agencies/AE001/functions", headers=token).json
    assert answer
    assert [(one["function"], one["is_deputy"], one["ends_on"]) for one in answer["items"]] == [
        ("administrator", False, None)
    ]
    assert "run" not in answer["items"][0]
    assert client.get("/api/v1/agencies/AE999/functions", headers=token).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=WzFd", "on=x", "on=2026-02-30", "kind=x", "parent=x"],
)
def test_a_wrong_query_is_a_problem(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/v1/agencies?{query}")
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"


def test_an_unknown_code_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/api/v1/agencies/AE999")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
