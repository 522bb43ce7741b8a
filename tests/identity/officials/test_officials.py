"""Officials, their functions, and acting for one of their agencies, against PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from builders.identity import a_person, a_run, an_agency, an_official, end_functions
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from identity.acting.actions import choose_agency
from identity.officials import actions, queries
from identity.officials.rules import (
    ADMINISTRATOR,
    AUTHORITY,
    STATE_FUNCTIONS,
    FunctionTaken,
    LastAdministrator,
    RoleAlreadyHeld,
    all_functions,
    effective_roles,
    functions_with,
)
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound, SignInRequired
from kernel.base.roles import Role

DAY = timedelta(days=1)
ROLES_OF_BLOCKS = [
    Role("publisher", "Publisher", "services", follows_from=frozenset({"digital_officer"})),
    Role("correspondent", "Correspondent", "letters"),
    Role("archivist", "Archivist", "files", follows_from=frozenset({"a function that there is not"})),
]
FUNCTIONS = all_functions(ROLES_OF_BLOCKS)


def test_only_administrators_of_the_authority_are_the_authority() -> None:
    administrator, publisher = frozenset({"administrator"}), frozenset({"publisher"})
    assert "authority" in effective_roles(administrator, FUNCTIONS, is_authority=True)
    assert "authority" not in effective_roles(administrator, FUNCTIONS, is_authority=False)
    assert "authority" not in effective_roles(publisher, FUNCTIONS, is_authority=True)


@pytest.mark.usefixtures("context")
class TestMembers:
    def test_a_person_may_hold_several_roles(self) -> None:
        agency = an_agency()
        official = an_official(agency, "administrator", "publisher")
        assert queries.agencies_of(official.id) == [(agency.ref, ["administrator", "publisher"])]
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
            actions.appoint("AE001", str(official.run), "administrator")

    @pytest.mark.parametrize(("run", "role"), [("12.345.678-9", "publisher"), (a_run(), "publisher")])
    def test_who_cannot_be_a_member_is_told_at_the_run(self, run: str, role: str) -> None:
        an_agency()
        with pytest.raises(Invalid) as refused:
            actions.appoint("AE001", run, role)
        assert list(refused.value.fields) == ["run"]

    @pytest.mark.parametrize("role", ["", "authority", "ADMINISTRATOR", "root"])
    def test_no_other_roles_can_be_given(self, role: str) -> None:
        an_agency()
        with pytest.raises(Invalid):
            actions.appoint("AE001", str(a_person().run), role)

    def test_the_last_administrator_stays(self) -> None:
        agency = an_agency()
        first = an_official(agency, "administrator", "publisher")
        with pytest.raises(LastAdministrator):
            end_functions("AE001", first, "administrator")
        assert queries.agencies_of(first.id)[0][1] == ["administrator", "publisher"]
        an_official(agency)
        end_functions("AE001", first)
        assert queries.agencies_of(first.id) == []

    def test_the_head_may_do_what_an_administrator_may(self) -> None:
        agency = an_agency()
        administrator, head = an_official(agency), a_person()
        actions.appoint("AE001", str(head.run), "head", norm="Decreto 1 de 2026")
        assert [one.person_id for one in queries.officials_of("AE001", "administrator")] == [administrator.id, head.id]
        end_functions("AE001", administrator)
        with pytest.raises(LastAdministrator):
            end_functions("AE001", head)

    def test_an_administrator_whose_term_is_over_or_to_come_does_not_count(self) -> None:
        agency = an_agency()
        first, later = an_official(agency), a_person()
        actions.appoint("AE001", str(later.run), "administrator", starts_on=clock.today() + DAY)
        with pytest.raises(LastAdministrator):
            end_functions("AE001", first)
        end_functions("AE001", later)
        assert [person.id for _, person in queries.past_appointments("AE001")] == [later.id]

    def test_an_appointment_of_another_agency_is_not_there(self) -> None:
        an_agency()
        an_official(an_agency("AE002"), "publisher")
        (elsewhere, _person), *_others = queries.appointments_of("AE002")
        for appointment_id in (elsewhere.id, uuid4()):
            with pytest.raises(NotFound):
                actions.end_appointment("AE001", appointment_id)

    def test_what_has_ended_ends_once(self) -> None:
        person = an_official(an_agency(), "publisher")
        (appointment, _person), *_others = queries.appointments_of("AE001")
        end_functions("AE001", person)
        with pytest.raises(NotFound):
            actions.end_appointment("AE001", appointment.id)

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
                end_functions("AE001", leaving[number], "administrator")
            except LastAdministrator:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(leave, range(4))) == [False, True, True, True]
    with app.app_context():
        assert len(queries.officials_of("AE001", "administrator")) == 1


@pytest.mark.usefixtures("context")
class TestTerms:
    def test_rights_are_there_from_the_first_day_to_the_last(self) -> None:
        an_agency()
        person, today = a_person(), clock.today()
        actions.appoint("AE001", str(person.run), "publisher", starts_on=today + DAY, ends_on=today + 2 * DAY)
        held = []
        for days in range(4):
            with clock.shifted(days * DAY):
                held.append([functions for _agency, functions in queries.agencies_of(person.id)])
        assert held == [[], [["publisher"]], [["publisher"]], []]

    def test_a_deputy_has_the_rights_of_the_holder(self) -> None:
        holder, deputy = an_official(an_agency(), "correspondent"), a_person()
        actions.appoint("AE001", str(deputy.run), "correspondent", is_deputy=True)
        assert [one.person_id for one in queries.officials_of("AE001", "correspondent")] == [holder.id, deputy.id]

    def test_one_person_at_a_time_is_the_head_and_others_stand_in(self) -> None:
        an_agency()
        first, second, today = a_person(), a_person(), clock.today()
        actions.appoint("AE001", str(first.run), "head", ends_on=today + 10 * DAY, norm="Decreto 1")
        with pytest.raises(FunctionTaken):
            actions.appoint("AE001", str(second.run), "head", starts_on=today + 10 * DAY, norm="Decreto 2")
        actions.appoint("AE001", str(second.run), "head", starts_on=today + 11 * DAY, norm="Decreto 2")
        actions.appoint("AE001", str(a_person().run), "head", is_deputy=True, norm="Resolución 3")

    def test_a_person_holds_a_function_again_after_its_term(self) -> None:
        an_agency()
        person, today = a_person(), clock.today()
        run = str(person.run)
        actions.appoint("AE001", run, "publisher", starts_on=today - 30 * DAY, ends_on=today - DAY)
        actions.appoint("AE001", run, "publisher")
        with pytest.raises(RoleAlreadyHeld):
            actions.appoint("AE001", run, "publisher", is_deputy=True)
        assert len(queries.past_appointments("AE001")) == len(queries.appointments_of("AE001")) == 1

    @pytest.mark.parametrize("function", [name for name, one in FUNCTIONS.items() if one.is_single])
    def test_a_function_of_one_person_wants_the_norm_that_appoints(self, function: str) -> None:
        an_agency()
        with pytest.raises(Invalid) as refused:
            actions.appoint("AE001", str(a_person().run), function, norm="  ")
        assert list(refused.value.fields) == ["norm"]

    @pytest.mark.parametrize(("more", "field"), [({"days": -1}, "ends_on"), ({"days": 365 * 300}, "ends_on")])
    def test_a_term_has_its_days_in_order(self, more: dict[str, int], field: str) -> None:
        an_agency()
        with pytest.raises(Invalid) as refused:
            actions.appoint("AE001", str(a_person().run), "publisher", ends_on=clock.today() + timedelta(**more))
        assert list(refused.value.fields) == [field]


def test_what_the_blocks_declare_becomes_a_function_and_part_of_the_states(app: Flask) -> None:
    assert set(FUNCTIONS) == {*STATE_FUNCTIONS, "publisher", "correspondent", "archivist"}
    assert FUNCTIONS["digital_officer"].roles == {"publisher"}
    assert STATE_FUNCTIONS["digital_officer"].roles == frozenset()
    assert all_functions([]).keys() == STATE_FUNCTIONS.keys()
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert str(FUNCTIONS["digital_officer"].description) == "leads digital transformation; services"
        assert set(queries.FUNCTIONS()) == {*STATE_FUNCTIONS, "publisher", "correspondent"}


def test_who_holds_a_function_has_its_name_as_a_role_and_what_follows_from_it() -> None:
    for name, function in FUNCTIONS.items():
        assert effective_roles(frozenset({name}), FUNCTIONS, is_authority=False) == {name} | function.roles
        assert all(name in functions_with(role, FUNCTIONS) for role in {name} | function.roles)
    assert AUTHORITY not in {role for function in FUNCTIONS.values() for role in function.roles}


@given(st.sets(st.sampled_from(sorted(FUNCTIONS))), st.sampled_from([ADMINISTRATOR, "publisher", "correspondent"]))
def test_the_query_by_role_and_the_roles_of_functions_say_the_same(held: set[str], role: str) -> None:
    has_role = role in effective_roles(frozenset(held), FUNCTIONS, is_authority=False)
    assert has_role == bool(held & set(functions_with(role, FUNCTIONS)))
