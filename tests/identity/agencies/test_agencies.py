"""Agencies, their members, and acting for one of them, against PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from builders.identity import a_person, a_run, an_agency, an_official
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from identity.acting.actions import choose_agency
from identity.agencies import actions, queries
from identity.agencies.rules import (
    ROLES,
    AgencyCodeTaken,
    LastAdministrator,
    RoleAlreadyHeld,
    clean_code,
    clean_name,
    effective_roles,
)
from kernel.base.errors import Invalid, NotFound, SignInRequired
from kernel.database.db import session
from kernel.jobs.access import AgencyRef
from kernel.recording.audit import AuditEvent


@pytest.mark.parametrize("code", ["AE001", " ae001 ", "AE12345", "ＡＥ００１"])
def test_state_codes_are_tidied(code: str) -> None:
    assert clean_code(code) in ("AE001", "AE12345")


@pytest.mark.parametrize("code", ["", "AE", "A001", "AE01", "AE0012345", "AE-001", "../x", "AE001\n'", "A" * 1000])
def test_what_is_no_state_code_is_refused(code: str) -> None:
    with pytest.raises(Invalid):
        clean_code(code)


@given(st.text(max_size=300))
def test_a_name_is_one_line_or_refused(name: str) -> None:
    try:
        cleaned = clean_name(name)
    except Invalid:
        return
    assert cleaned == clean_name(cleaned)
    assert cleaned.isprintable()


def test_only_administrators_of_the_authority_are_the_authority() -> None:
    administrator, publisher = frozenset({"administrator"}), frozenset({"publisher"})
    assert "authority" in effective_roles(administrator, is_authority=True)
    assert "authority" not in effective_roles(administrator, is_authority=False)
    assert "authority" not in effective_roles(publisher, is_authority=True)


@pytest.mark.usefixtures("context")
class TestAgencies:
    def test_an_agency_is_found_by_its_code(self) -> None:
        an_agency("ae001", "  Servicio   de Impuestos ")
        assert queries.find_agency("AE001") == AgencyRef("AE001", "Servicio de Impuestos")
        assert queries.find_agency("AE002") is None
        assert [agency.code for agency in queries.list_agencies()] == ["AE001"]

    def test_a_code_is_given_once(self) -> None:
        an_agency("AE001")
        with pytest.raises(AgencyCodeTaken) as refused:
            an_agency("AE001", "Otro")
        assert list(refused.value.fields) == ["code"]
        assert [agency.name for agency in queries.list_agencies()] == ["Servicio de Prueba"]

    def test_a_rename_leaves_both_names_on_record(self) -> None:
        an_agency("AE001", "Antes")
        actions.rename_agency("AE001", "Después")
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:agency:renamed")).one()
        assert (event.subject, event.detail) == ("agency:AE001", {"before": "Antes", "after": "Después"})
        with pytest.raises(NotFound):
            actions.rename_agency("AE999", "Nadie")

    def test_pages_of_agencies_follow_each_other(self) -> None:
        for number in range(5):
            an_agency(f"AE00{number}")
        first = queries.agencies_page(limit=3)
        rest = queries.agencies_page(first.next, limit=3)
        assert [agency.code for agency in (*first.items, *rest.items)] == [f"AE00{number}" for number in range(5)]
        assert rest.next is None


@pytest.mark.usefixtures("context")
class TestMembers:
    def test_a_person_may_hold_several_roles(self) -> None:
        agency = an_agency()
        official = an_official(agency, "administrator", "publisher")
        assert queries.agencies_of(official.id) == [(agency.ref, ["administrator", "publisher"])]
        assert queries.members_page("AE001").items == [
            queries.Member(official, frozenset({"administrator", "publisher"}))
        ]
        assert queries.is_official(official.id)
        assert not queries.is_official(a_person().id)

    def test_officials_are_found_by_their_role(self) -> None:
        agency, other = an_agency(), an_agency("AE002")
        official = an_official(agency, "correspondent")
        an_official(other, "correspondent")
        assert queries.officials_of("AE001", "correspondent") == [
            queries.Official(official.id, official.name, official.email, "es")
        ]
        assert queries.officials_of("AE001", "publisher") == []

    def test_a_role_is_given_once(self) -> None:
        official = an_official(an_agency())
        with pytest.raises(RoleAlreadyHeld):
            actions.add_member("AE001", str(official.run), "administrator")

    @pytest.mark.parametrize(("run", "role"), [("12.345.678-9", "publisher"), (a_run(), "publisher")])
    def test_who_cannot_be_a_member_is_told_at_the_run(self, run: str, role: str) -> None:
        an_agency()
        with pytest.raises(Invalid) as refused:
            actions.add_member("AE001", run, role)
        assert list(refused.value.fields) == ["run"]

    @pytest.mark.parametrize("role", ["", "authority", "ADMINISTRATOR", "root"])
    def test_no_other_roles_can_be_given(self, role: str) -> None:
        an_agency()
        with pytest.raises(Invalid):
            actions.add_member("AE001", str(a_person().run), role)

    def test_the_last_administrator_stays(self) -> None:
        agency = an_agency()
        first = an_official(agency, "administrator", "publisher")
        with pytest.raises(LastAdministrator):
            actions.remove_role("AE001", first.id, "administrator")
        with pytest.raises(LastAdministrator):
            actions.remove_member("AE001", first.id)
        assert queries.agencies_of(first.id)[0][1] == ["administrator", "publisher"], "all roles or none are taken"
        an_official(agency)
        actions.remove_member("AE001", first.id)
        assert queries.agencies_of(first.id) == []

    def test_a_role_of_another_agency_is_not_there(self) -> None:
        an_agency()
        elsewhere = an_official(an_agency("AE002"), "publisher")
        for person_id in (elsewhere.id, uuid4()):
            with pytest.raises(NotFound):
                actions.remove_role("AE001", person_id, "publisher")
            with pytest.raises(NotFound):
                actions.remove_member("AE001", person_id)

    def test_nobody_signed_in_acts_for_nobody(self) -> None:
        an_agency()
        with pytest.raises(SignInRequired):
            choose_agency("AE001")


def test_two_administrators_who_leave_at_once_do_not_both_leave(app: Flask) -> None:
    with app.app_context():
        agency = an_agency()
        leaving = [an_official(agency) for _ in range(4)]

    def leave(number: int) -> bool:
        with app.app_context():
            try:
                actions.remove_role("AE001", leaving[number].id, "administrator")
            except LastAdministrator:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(leave, range(4))) == [False, True, True, True]
    with app.app_context():
        assert len(queries.officials_of("AE001", "administrator")) == 1


def test_the_roles_are_those_of_the_database() -> None:
    assert set(ROLES) == {"administrator", "publisher", "correspondent"}
