"""Agencies and their tree over time, against PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from uuid import UUID

import pytest
from builders.clients import a_system
from builders.identity import an_agency, an_official
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from identity.agencies import actions, queries
from identity.agencies.models import AgencyChangeRecord
from identity.agencies.rules import (
    MAX_DEPTH,
    AgencyChange,
    AgencyCodeTaken,
    LastAuthority,
    clean_code,
    clean_name,
)
from identity.clients.registry.queries import known_client
from identity.officials.queries import agencies_of, officials_of
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound
from kernel.database.db import session
from kernel.jobs.access import AgencyRef
from kernel.recording.audit import AuditEvent

DAY = timedelta(days=1)


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
        renamed("AE001", "Después")
        event = session().scalars(select(AuditEvent).where(AuditEvent.tag == "identity:agency:renamed")).one()
        assert event.subject == "agency:AE001"
        assert (event.detail["before"], event.detail["after"]) == ("Antes", "Después")
        with pytest.raises(NotFound):
            renamed("AE999", "Nadie")

    def test_pages_of_agencies_follow_each_other(self) -> None:
        for number in range(5):
            an_agency(f"AE00{number}")
        first = queries.agencies_page(limit=3)
        rest = queries.agencies_page(first.next, limit=3)
        assert [agency.code for agency in (*first.items, *rest.items)] == [f"AE00{number}" for number in range(5)]
        assert rest.next is None


def renamed(code: str, name: str, counts_from: date | None = None) -> None:
    actions.change_agency(code, AgencyChange({"name": name}, counts_from or clock.today()))


def moved(code: str, parent: str | None, counts_from: date | None = None, norm: str = "") -> None:
    actions.change_agency(code, AgencyChange({"parent": parent}, counts_from or clock.today(), norm))


def parent_of(code: str, day: date) -> str | None:
    return queries.agency_on(code, day).parent


@pytest.fixture
def state(context: None) -> None:
    """Two ministries since the year 2000, and a service of the first one."""
    for code in ("AE001", "AE002"):
        actions.create_agency(code, f"Ministerio {code}", kind="ministry", valid_from=date(2000, 1, 1))
    actions.create_agency("AE010", "Servicio Diez", parent="AE001", valid_from=date(2010, 3, 1))


@pytest.mark.usefixtures("state")
class TestTree:
    def test_the_tree_of_any_day_can_be_read(self) -> None:
        moved("AE010", "AE002", date(2020, 1, 1), "Ley 21.000")
        renamed("AE010", "Servicio Décimo", date(2015, 5, 5))
        assert [one.code for one in queries.tree_on(date(2009, 12, 31))] == ["AE001", "AE002"]
        assert [(one.name, one.parent) for one in queries.tree_on(date(2010, 3, 1)) if one.code == "AE010"] == [
            ("Servicio Diez", "AE001")
        ]
        assert queries.agency_on("AE010", date(2019, 12, 31)).name == "Servicio Décimo"
        assert parent_of("AE010", date(2019, 12, 31)) == "AE001"
        assert parent_of("AE010", date(2020, 1, 1)) == "AE002"
        assert [one.code for one in queries.agencies_page(on=date(2019, 1, 1), parent="AE001").items] == ["AE010"]
        assert queries.agencies_page(on=clock.today(), parent="AE001").items == []
        assert [one.code for one in queries.agencies_page(kind="ministry").items] == ["AE001", "AE002"]

    def test_every_change_is_kept_with_who_when_and_why(self) -> None:
        moved("AE010", "AE002", date(2020, 1, 1), "Ley 21.000")
        moved("AE010", None, date(2021, 1, 1))
        changes = queries.changes_page("AE010").items
        assert [(one.counts_from, one.fields, one.norm, one.changed_by_name) for one in changes[:2]] == [
            (date(2021, 1, 1), {"parent": None}, "", "The test"),
            (date(2020, 1, 1), {"parent": "AE002"}, "Ley 21.000", "The test"),
        ]
        assert changes[2].fields["name"] == "Servicio Diez"
        assert parent_of("AE010", clock.today()) is None

    def test_what_is_to_come_counts_from_its_day_on(self) -> None:
        moved("AE010", "AE002", clock.today() + DAY)
        assert queries.get_agency("AE010").parent_code == "AE001"
        assert actions.apply_due_changes() == 0
        with clock.shifted(DAY):
            assert [one.parent for one in queries.tree_on(clock.today()) if one.code == "AE010"] == ["AE002"]
            assert actions.apply_due_changes() == 1
            assert actions.apply_due_changes() == 0
        assert queries.get_agency("AE010").parent_code == "AE002"
        tag = "identity:agency:change-took-effect"
        assert session().scalars(select(AuditEvent.detail).where(AuditEvent.tag == tag)).all() == [
            {"fields": ["parent"]}
        ]

    def test_what_was_registered_by_a_node_of_the_version_before_has_its_beginning(self) -> None:
        session().execute(delete(AgencyChangeRecord).where(AgencyChangeRecord.agency_code == "AE010"))
        session().info["recorded"] = True
        session().commit()
        renamed("AE010", "Otro nombre")
        assert queries.agency_on("AE010", date(2012, 1, 1)).name == "Servicio Diez"
        assert queries.agency_on("AE010", clock.today()).name == "Otro nombre"

    def test_the_later_word_on_a_day_counts_whatever_it_is_called(self) -> None:
        # The beginnings that a migration wrote have identifiers that follow no order.
        begun = update(AgencyChangeRecord).where(AgencyChangeRecord.agency_code == "AE010")
        session().execute(begun.values(id=UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")))
        session().info["recorded"] = True
        session().commit()
        moved("AE010", "AE002", date(2010, 3, 1))
        renamed("AE010", "Otro", date(2010, 3, 1))
        assert (parent_of("AE010", clock.today()), queries.get_agency("AE010").name) == ("AE002", "Otro")
        assert "name" in queries.changes_page("AE010", limit=1).items[0].fields
        assert queries.timelines()["AE010"].parent_on(clock.today()) == "AE002"

    @pytest.mark.parametrize("parent", ["AE010", "AE001"])
    def test_no_circle_is_made(self, parent: str) -> None:
        with pytest.raises(Invalid) as refused:
            moved("AE001", parent)
        assert list(refused.value.fields) == ["parent"]
        assert parent_of("AE001", clock.today()) is None

    def test_a_circle_on_a_day_to_come_is_one(self) -> None:
        moved("AE010", None, clock.today() + 10 * DAY)
        moved("AE001", "AE010", clock.today() + 10 * DAY)
        with pytest.raises(Invalid):
            moved("AE001", "AE010", clock.today() + 9 * DAY)

    def test_the_tree_has_a_limited_depth(self) -> None:
        for number in range(11, 11 + MAX_DEPTH - 2):
            an_agency(f"AE0{number}", parent=f"AE0{number - 1}")
        with pytest.raises(Invalid, match="invalid") as refused:
            an_agency("AE099", parent=f"AE0{10 + MAX_DEPTH - 2}")
        assert "ocho" in str(refused.value.fields["parent"][0]) or "eight" in str(refused.value.fields["parent"][0])
        with pytest.raises(Invalid):
            moved("AE001", "AE002")
        assert queries.find_agency("AE099") is None

    @pytest.mark.parametrize("parent", ["AE999", "x", "AE011"])
    def test_a_parent_exists_all_that_time(self, parent: str) -> None:
        actions.create_agency("AE011", "Más nueva", valid_from=date(2011, 1, 1))
        with pytest.raises(Invalid) as refused:
            moved("AE010", parent, date(2010, 6, 1))
        assert list(refused.value.fields) == ["parent"]

    def test_nothing_is_no_change(self) -> None:
        with pytest.raises(Invalid):
            renamed("AE010", "  Servicio   Diez ")
        with pytest.raises(Invalid):
            actions.set_validity("AE010", date(2010, 3, 1), None)

    def test_a_change_counts_while_the_agency_exists(self) -> None:
        with pytest.raises(Invalid) as refused:
            renamed("AE010", "Otro", date(2010, 2, 28))
        assert list(refused.value.fields) == ["counts_from"]

    def test_an_end_waits_for_what_stands_below(self) -> None:
        with pytest.raises(Invalid) as refused:
            actions.set_validity("AE001", date(2000, 1, 1), clock.today(), successor="AE002")
        assert "Servicio Diez (AE010)" in str(refused.value.fields["valid_until"][0])
        moved("AE010", "AE002", clock.today())
        actions.set_validity("AE001", date(2000, 1, 1), clock.today(), successor="AE002", norm="Ley 1")
        assert queries.get_agency("AE001").successor_code == "AE002"
        assert parent_of("AE010", clock.today() - DAY) == "AE001"

    @pytest.mark.parametrize("successor", ["AE001", "AE999", "AE003"])
    def test_a_successor_exists_afterwards(self, successor: str) -> None:
        actions.create_agency("AE003", "Breve", valid_from=date(2001, 1, 1), valid_until=clock.today())
        with pytest.raises(Invalid) as refused:
            actions.set_validity(
                "AE002" if successor != "AE001" else "AE001", date(2000, 1, 1), clock.today(), successor=successor
            )
        assert list(refused.value.fields) == ["successor"]

    def test_an_end_can_be_taken_back_and_a_beginning_put_right(self) -> None:
        actions.set_validity("AE010", date(2010, 3, 1), clock.today())
        actions.set_validity("AE010", date(2005, 1, 1), None)
        assert [one.code for one in queries.tree_on(date(2006, 1, 1))] == ["AE001", "AE002", "AE010"]
        with pytest.raises(Invalid):
            actions.set_validity("AE010", date(1999, 1, 1), None)

    def test_the_only_authority_does_not_end(self) -> None:
        an_agency("AE900", is_authority=True)
        with pytest.raises(LastAuthority):
            actions.set_validity("AE900", clock.today(), clock.today())
        an_agency("AE901", is_authority=True)
        actions.set_validity("AE900", clock.today(), clock.today())


@pytest.mark.usefixtures("state")
class TestEnded:
    def test_an_agency_that_ended_does_nothing_from_the_next_day_on(self) -> None:
        official = an_official("AE010")
        system = a_system("AE010")
        actions.set_validity("AE010", date(2010, 3, 1), clock.today())
        assert agencies_of(official.id) != []
        assert known_client(system.client.client_id) is not None
        with clock.shifted(DAY):
            assert agencies_of(official.id) == []
            assert officials_of("AE010", "administrator") == []
            assert known_client(system.client.client_id) is None, "although this process remembers it"
            assert queries.find_agency("AE010") == AgencyRef("AE010", "Servicio Diez", is_active=False)
            assert [one.code for one in queries.active_agencies()] == ["AE001", "AE002"]
            actions.set_validity("AE010", date(2010, 3, 1), None)
            assert known_client(system.client.client_id) is not None


def test_two_moves_that_make_a_circle_together_do_not_both_happen(app: Flask) -> None:
    codes = [f"AE00{number}" for number in range(4)]
    with app.app_context():
        for code in codes:
            an_agency(code)

    def move(number: int) -> bool:
        with app.app_context():
            try:
                moved(codes[number], codes[(number + 1) % 4])
            except Invalid:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(move, range(4))) == [False, True, True, True]
