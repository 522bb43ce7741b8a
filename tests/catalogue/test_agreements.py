"""Agreements: rules, the whole life of one on a real database, and who may do what."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders.catalogue import (
    CONSUMER,
    OWNER,
    STRANGER,
    FakeClients,
    a_published_service,
    a_purpose,
    a_request,
    a_service,
    an_agreement,
    an_official,
)
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import select, text

from catalogue.agreements import actions, queries
from catalogue.agreements.reactions import remind_of_answer, tell_owner
from catalogue.agreements.rules import (
    LIFECYCLE,
    OPEN,
    SUSPENDER,
    AlreadyAgreed,
    OwnService,
    Purpose,
    Side,
    Status,
    Transition,
    agreement_code,
    is_late,
)
from catalogue.services import actions as service_actions
from catalogue.services.rules import NotInThisState
from kernel.base.clock import SANTIAGO, local
from kernel.base.errors import Invalid, NotFound, NotYours
from kernel.database.db import session
from kernel.jobs.access import act_as
from kernel.recording.audit import AuditEvent
from kernel.recording.lifecycle import note_passed_deadline
from kernel.recording.reactions import Event

AS_OWNER, AS_CONSUMER, AS_STRANGER = an_official(OWNER), an_official(CONSUMER), an_official(STRANGER)


class AgreementLife(RuleBasedStateMachine):
    """Try anything on both sides: only the owner lets in, only who suspended resumes, and what is over stays over."""

    def __init__(self) -> None:
        super().__init__()
        self.status = Status.REQUESTED
        self.suspended_by: Side | None = None
        self.is_over = False

    @rule(step=st.sampled_from(Transition), side=st.sampled_from(Side))
    def try_it(self, step: Transition, side: Side) -> None:
        before, suspender = self.status, self.suspended_by
        sides = [side, SUSPENDER] if side == suspender else [side]
        is_offered = step in LIFECYCLE.possible(before, *sides)
        try:
            self.status = LIFECYCLE.rule(before, step, *sides).target
        except NotInThisState:
            assert not is_offered
            return
        assert is_offered
        self.suspended_by = side if self.status == Status.SUSPENDED else None
        if before == Status.REQUESTED and self.status == Status.ACTIVE:
            assert side == Side.OWNER
        if before == Status.SUSPENDED and self.status == Status.ACTIVE:
            assert side == suspender
        self.is_over = self.status in (Status.ENDED, Status.REFUSED)

    @invariant()
    def what_is_over_stays_over(self) -> None:
        assert self.is_over == (self.status not in OPEN)


TestAgreementLife = AgreementLife.TestCase


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Renovar licencias", "renovar  LICENCIAS."),
        ("Atención de público", "atencion de publico"),
        ("a\nb", "a b"),
    ],
)
def test_purposes_that_differ_only_in_writing_are_one(one: str, other: str) -> None:
    assert a_purpose(text=one).key == a_purpose(text=other).key
    assert a_purpose(text=one).key != a_purpose(text=f"{one} y más").key


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("purpose", {"text": " "}),
        ("purpose", {"text": "x" * 1001}),
        ("legal_basis", {"legal_basis": ""}),
        ("legal_basis", {"legal_basis": "null \x00"}),
        ("daily_calls", {"daily_calls": 0}),
        ("daily_calls", {"daily_calls": -1}),
        ("daily_calls", {"daily_calls": 10**9}),
    ],
)
def test_a_wrong_purpose_is_told_at_its_field(field: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        a_purpose(**changed)
    assert list(refused.value.fields) == [field]


@given(st.text(), st.text(), st.integers())
def test_a_purpose_is_either_refused_or_can_be_stored(words: str, basis: str, calls: int) -> None:
    try:
        purpose = Purpose.checked(text=words, legal_basis=basis, personal_data=False, daily_calls=calls)
    except Invalid:
        return
    assert 0 < purpose.daily_calls < 2**31
    for one in (purpose.text, purpose.legal_basis, purpose.key):
        assert "\x00" not in one
        one.encode()


def test_codes_name_the_year() -> None:
    assert agreement_code(2026, 1) == "ACU-2026-000001"


def test_a_request_is_late_after_its_term_and_only_while_it_waits() -> None:
    term = datetime(2026, 3, 31, tzinfo=UTC)
    assert is_late(Status.REQUESTED, term, term + timedelta(seconds=1))
    assert not is_late(Status.REQUESTED, term, term)
    assert not is_late(Status.ACTIVE, term, term + timedelta(days=30))


def tags() -> list[str]:
    found = session().scalars(select(AuditEvent.tag).order_by(AuditEvent.at, AuditEvent.id))
    return [tag for tag in found if "agreement" in tag]


@pytest.fixture
def here(context: None, clients: FakeClients) -> FakeClients:
    return clients


def count_events(tag: str) -> int:
    return session().scalar(text("SELECT count(*) FROM audit_event WHERE tag = :tag"), {"tag": tag}) or 0


@pytest.mark.usefixtures("here")
class TestAsking:
    def test_a_request_has_fifteen_business_days(self) -> None:
        agreement = a_request()
        assert agreement.status == "requested"
        assert (agreement.owner, agreement.consumer) == (OWNER.code, CONSUMER.code)
        answer_by = local(agreement.answer_by)
        assert answer_by.tzinfo == SANTIAGO
        assert (answer_by.hour, answer_by.minute) == (23, 59)
        assert agreement.answer_by - agreement.requested_at > timedelta(days=18)

    def test_the_owner_is_told_by_mail(self, app: Flask) -> None:
        agreement = a_request()
        query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'catalogue:agreement:follow-request'")
        (request,) = session().scalars(query).all()
        with app.app_context():
            tell_owner(Event(**request))
        mails = session().scalars(text("SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'"))
        (mail,) = mails.all()
        assert mail["to"] == f"publisher@{OWNER.code.lower()}.example"
        assert agreement.code in mail["text"]
        assert "\n" not in mail["subject"]

    def test_a_term_that_passes_is_recorded_and_the_owner_reminded_once(self) -> None:
        agreement = a_request()
        query = text("SELECT scheduled_at, args FROM procrastinate_jobs WHERE task_name = 'kernel:lifecycle:deadline'")
        ((scheduled_at, arguments),) = session().execute(query).all()
        assert scheduled_at == agreement.answer_by
        note_passed_deadline(**arguments)
        assert count_events("catalogue:agreement:answer-overdue") == 0
        session().execute(text("UPDATE agreement SET answer_by = now() - interval '1 minute'"))
        session().commit()
        for _attempt in range(2):  # a worker may die between its commit and the end of its job
            note_passed_deadline(**arguments)
        assert count_events("catalogue:agreement:answer-overdue") == 1
        query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'catalogue:agreement:follow-lateness'")
        (reminder,) = session().scalars(query).all()
        remind_of_answer(Event(**reminder))
        query = text("SELECT args->>'subject' FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'")
        assert agreement.code in session().scalars(query).one()

    def test_an_answer_in_time_lets_the_term_pass_in_silence(self) -> None:
        agreement = a_request()
        actions.transition(AS_OWNER, agreement.code, Transition.APPROVE)
        session().execute(text("UPDATE agreement SET answer_by = now() - interval '1 minute'"))
        session().commit()
        note_passed_deadline("agreement", str(agreement.id), "requested")
        assert count_events("catalogue:agreement:answer-overdue") == 0

    def test_one_open_agreement_a_purpose(self) -> None:
        service = a_published_service()
        first = a_request(service)
        with pytest.raises(AlreadyAgreed) as refused:
            a_request(service, text="VERIFICAR el permiso, al renovar la licencia.")
        assert refused.value.detail == first.code
        a_request(service, text="Otra finalidad")
        a_request(service, consumer=STRANGER)

    def test_what_was_refused_or_has_ended_may_be_asked_again(self) -> None:
        service = a_published_service()
        first = a_request(service)
        actions.transition(AS_OWNER, first.code, Transition.REFUSE, "No procede")
        second = a_request(service)
        actions.transition(AS_CONSUMER, second.code, Transition.END, "Ya no se necesita")
        assert a_request(service).status == "requested"

    def test_two_who_ask_at_once_get_one(self, app: Flask) -> None:
        service = a_published_service()
        outcomes: list[str] = []
        start = threading.Barrier(4)

        def ask() -> None:
            with app.app_context():
                act_as(AS_CONSUMER)
                start.wait()
                try:
                    actions.request_agreement(AS_CONSUMER, service.code, "v1", a_purpose())
                    outcomes.append("asked")
                except AlreadyAgreed:
                    outcomes.append("already")

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["already"] * 3 + ["asked"]

    def test_nobody_agrees_with_themselves(self) -> None:
        with pytest.raises(OwnService):
            a_request(consumer=OWNER)

    def test_only_what_is_published_can_be_asked_for(self) -> None:
        draft = a_service()
        with pytest.raises(NotFound):
            a_request(draft)
        service_actions.submit_version(AS_OWNER, draft.code, "v1")
        with pytest.raises(NotFound):
            a_request(draft)


@pytest.mark.usefixtures("here")
class TestDeciding:
    def test_the_owner_approves(self) -> None:
        agreement = an_agreement()
        assert agreement.is_active
        assert agreement.decided_by == AS_OWNER.name
        assert tags() == ["catalogue:agreement:requested", "catalogue:agreement:approved"]

    @pytest.mark.parametrize("step", [Transition.REFUSE, Transition.END])
    def test_refusing_and_ending_need_reasons(self, step: Transition) -> None:
        agreement = a_request() if step == Transition.REFUSE else an_agreement()
        with pytest.raises(Invalid):
            actions.transition(AS_OWNER, agreement.code, step, "")
        session().refresh(agreement)
        assert agreement.status in ("requested", "active")

    @pytest.mark.parametrize("step", [Transition.APPROVE, Transition.REFUSE])
    def test_the_consumer_does_not_answer_itself(self, step: Transition) -> None:
        agreement = a_request()
        with pytest.raises(NotInThisState):
            actions.transition(AS_CONSUMER, agreement.code, step, "Porque sí")

    def test_another_agencys_agreement_does_not_exist(self) -> None:
        agreement = a_request()
        for attempt in (
            lambda: queries.find(agreement.code, AS_STRANGER),
            lambda: actions.transition(AS_STRANGER, agreement.code, Transition.APPROVE),
            lambda: actions.issue_credentials(AS_STRANGER, agreement.code),
        ):
            with pytest.raises(NotYours):
                attempt()

    def test_who_suspended_resumes(self) -> None:
        agreement = an_agreement()
        actions.transition(AS_OWNER, agreement.code, Transition.SUSPEND, "Uso fuera de la finalidad")
        with pytest.raises(NotInThisState):
            actions.transition(AS_CONSUMER, agreement.code, Transition.RESUME)
        assert actions.transition(AS_OWNER, agreement.code, Transition.RESUME).is_active

    def test_the_other_agency_is_told(self, app: Flask) -> None:
        agreement = an_agreement()
        with app.app_context():
            actions.notify_other(agreement.code, CONSUMER.code, Status.ACTIVE)
        mails = session().scalars(text("SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:mail:deliver'"))
        assert [mail["to"] for mail in mails] == [f"publisher@{CONSUMER.code.lower()}.example"]

    def test_each_side_sees_its_own_list(self) -> None:
        agreement = an_agreement()
        assert [one.code for one in queries.of_agency(CONSUMER.code, Side.CONSUMER).items] == [agreement.code]
        assert [one.code for one in queries.of_agency(OWNER.code, Side.OWNER).items] == [agreement.code]
        assert [one.code for one in queries.of_agency(OWNER.code).items] == [agreement.code]
        assert not queries.of_agency(OWNER.code, Side.CONSUMER).items
        assert not queries.of_agency(STRANGER.code).items
        assert queries.count_to_answer(OWNER.code) == 0


class TestCredentials:
    def test_they_are_bound_to_the_agreement(self, here: FakeClients) -> None:
        agreement = an_agreement()
        _, credentials = actions.issue_credentials(AS_CONSUMER, agreement.code)
        (made,) = here.made
        assert made == {
            "id": credentials.client_id,
            "agency": CONSUMER.code,
            "scopes": ["gateway"],
            "binding": {"agreement": agreement.code, "service": agreement.service_code, "version": "v1"},
        }
        detail = session().scalars(select(AuditEvent.detail).where(AuditEvent.tag.endswith("credentials-issued"))).one()
        assert credentials.secret not in str(detail)

    def test_new_ones_revoke_the_old(self, here: FakeClients) -> None:
        agreement = an_agreement()
        actions.issue_credentials(AS_CONSUMER, agreement.code)
        actions.issue_credentials(AS_CONSUMER, agreement.code)
        assert here.revoked == ["client-1"]
        assert agreement.client_id == "client-2"

    @pytest.mark.parametrize("ends", [AS_OWNER, AS_CONSUMER])
    def test_the_end_revokes_them(self, here: FakeClients, ends: Any) -> None:
        agreement = an_agreement()
        actions.issue_credentials(AS_CONSUMER, agreement.code)
        actions.transition(ends, agreement.code, Transition.END, "Terminado")
        assert here.revoked == ["client-1"]
        assert agreement.client_id is None

    def test_only_the_consumer_of_an_active_agreement_makes_them(self, here: FakeClients) -> None:
        agreement = a_request()
        with pytest.raises(NotInThisState):
            actions.issue_credentials(AS_CONSUMER, agreement.code)
        actions.transition(AS_OWNER, agreement.code, Transition.APPROVE)
        with pytest.raises(NotYours):
            actions.issue_credentials(AS_OWNER, agreement.code)
        assert here.made == []
