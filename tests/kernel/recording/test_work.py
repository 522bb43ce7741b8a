"""A change, its audit record and its jobs are one thing."""

import pytest
from flask import Flask
from psycopg import OperationalError
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from kernel.database.db import UnrecordedChange, new_session, session
from kernel.database.outage import is_away
from kernel.jobs.access import AUTHENTICATORS, Principal, act_as, current_principal
from kernel.jobs.jobs import job, run_worker
from kernel.keys import signatures
from kernel.keys.signatures import SigningKey
from kernel.recording import audit_chain, sealing
from kernel.recording.audit import AuditEvent
from kernel.recording.work import Work, action, autonomous_work, continue_as


def a_key(work: Work, kid: str) -> SigningKey:
    row = SigningKey(
        purpose="test", algorithm="ES256", kid=kid, public_jwk={}, created_at=work.now, signs_from=work.now
    )
    work.add(row)
    return row


@job("test:nothing:done")
def do_nothing(of: str) -> None:
    """A job that only has to exist."""


@action
def recorded(work: Work, kid: str) -> None:
    work.record("kernel:key:created", a_key(work, kid))
    work.defer(do_nothing, of=kid)


@action
def unrecorded(work: Work, kid: str) -> None:
    a_key(work, kid)


@action
def failing_after(work: Work, kid: str) -> None:
    recorded(kid)
    raise RuntimeError("on purpose")


def count(table: type) -> int:
    return session().scalar(select(func.count()).select_from(table)) or 0


def jobs_waiting() -> int:
    return session().scalar(text("SELECT count(*) FROM procrastinate_jobs")) or 0


def test_a_change_is_committed_with_its_record_and_its_job(context: None) -> None:
    recorded("one")
    session().rollback()
    assert (count(SigningKey), count(AuditEvent), jobs_waiting()) == (1, 1, 1)


def test_a_job_that_cannot_be_deferred_says_that_the_database_is_away(context: None) -> None:
    @action
    def lose_the_connection(work: Work) -> None:
        pid = work.session.scalar(text("SELECT pg_backend_pid()"))
        with new_session() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        work.defer(do_nothing, of="one")

    with pytest.raises(OperationalError) as lost:
        lose_the_connection()
    assert is_away(lost.value)


def test_a_change_without_a_record_is_refused(context: None) -> None:
    with pytest.raises(UnrecordedChange):
        unrecorded("one")
    assert count(SigningKey) == 0


def test_an_action_inside_another_joins_it_and_falls_with_it(context: None) -> None:
    with pytest.raises(RuntimeError):
        failing_after("one")
    assert (count(SigningKey), count(AuditEvent), jobs_waiting()) == (0, 0, 0)


def test_what_must_be_remembered_of_a_refusal_outlives_it(context: None) -> None:
    @action
    def refuse(work: Work) -> None:
        a_key(work, "lost")
        with autonomous_work() as beside:
            beside.record("access:refused", "path:/somewhere")
        raise RuntimeError("refused")

    with pytest.raises(RuntimeError):
        refuse()
    assert (count(SigningKey), count(AuditEvent)) == (0, 1)


def test_a_transaction_has_one_actor_whoever_comes_meanwhile(context: None) -> None:
    ana, eva, meanwhile = (Principal("person", str(number), name) for number, name in enumerate(("Ana", "Eva", "?")))

    @action
    def sign(work: Work) -> None:
        work.record("kernel:key:created", "key:first")
        act_as(meanwhile)
        work.record("kernel:key:created", "key:second")
        continue_as(eva)
        work.record("kernel:key:created", "key:third")

    act_as(ana)
    sign()
    events = session().scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [event.actor_name for event in events] == ["Ana", "Ana", "Eva"]


def test_who_finds_out_who_calls_may_open_a_transaction(app: Flask) -> None:
    @action
    def find_out(work: Work) -> Principal:
        assert work.session.scalar(select(func.count()).select_from(SigningKey)) == 0
        return Principal("person", "1", "Ana")

    before = AUTHENTICATORS.of(app)[:]
    AUTHENTICATORS.of(app)[:] = [find_out]
    try:
        with app.test_request_context():
            assert current_principal().name == "Ana"
            recorded("one")
            assert session().scalar(select(AuditEvent.actor_name)) == "Ana"
    finally:
        AUTHENTICATORS.of(app)[:] = before


def test_a_job_acts_as_the_system(app: Flask, context: None) -> None:
    @job("test:key:recorded")
    def record_it() -> None:
        recorded("by a job")

    @action
    def defer_it(work: Work) -> None:
        work.record("kernel:key:created", "key:now")
        work.defer(record_it)

    act_as(Principal("operator", "ana", "Ana"))
    defer_it()
    run_worker(app, until_empty=True)
    events = session().scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [(event.actor_kind, event.actor) for event in events] == [
        ("operator", "ana"),
        ("system", "test:key:recorded"),
    ]


def test_the_sealed_chain_holds(app: Flask, context: None) -> None:
    for number in range(3):
        recorded(f"first {number}")
    sealing.seal_all(app)
    recorded("second")
    assert sealing.seal_all(app) == 1
    assert audit_chain.verify(session()) == audit_chain.Verdict(seals=2, events=4, broken_at=None)


def test_a_changed_event_breaks_the_chain_where_it_lies(app: Flask, context: None) -> None:
    recorded("first")
    sealing.seal_all(app)
    recorded("second")
    sealing.seal_all(app)
    with session() as forger:
        forger.execute(text("ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only"))
        forger.execute(text("UPDATE audit_event SET actor = 'somebody else' WHERE subject LIKE '%second'"))
        forger.execute(text("ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only"))
        assert audit_chain.verify(forger).broken_at == 2
        forger.rollback()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_event SET tag = 'x'", "DELETE FROM audit_event"],
)
def test_the_database_itself_refuses_to_rewrite_a_sealed_event(app: Flask, context: None, statement: str) -> None:
    recorded("first")
    sealing.seal_all(app)
    with pytest.raises(ProgrammingError, match="append-only"):
        session().execute(text(statement))


def test_an_event_outside_of_the_chain_is_found(app: Flask, context: None) -> None:
    recorded("first")
    sealing.seal_all(app)
    recorded("second")
    session().execute(text("DELETE FROM audit_waiting"))
    assert audit_chain.verify(session()) == audit_chain.Verdict(seals=1, events=1, broken_at=None, strays=1)
    session().rollback()
    assert audit_chain.verify(session()).strays == 0


@pytest.mark.parametrize("told", ["members = '{}'", "first_at = last_at + interval '1 day'", "events = 0"])
def test_a_seal_cannot_disown_its_events(app: Flask, context: None, told: str) -> None:
    recorded("first")
    sealing.seal_all(app)
    session().execute(text(f"UPDATE audit_seal SET {told}"))
    assert audit_chain.verify(session()).broken_at == 1


def test_an_event_knows_its_seal_once_it_has_one(app: Flask, context: None) -> None:
    recorded("first")
    sealing.seal_all(app)
    recorded("second")
    first, second = session().scalars(select(AuditEvent).order_by(AuditEvent.id))
    assert [audit_chain.seal_of(session(), event) for event in (first, second)] == [1, None]
    sealing.seal_all(app)
    session().rollback()
    assert [audit_chain.seal_of(session(), event) for event in (first, second)] == [1, 2]


def test_a_key_is_made_on_first_use_and_published(context: None) -> None:
    kid = signatures.ensure_key("test-purpose")
    assert signatures.sign("test-purpose", b"something").public_jwk["kid"] == kid
    assert [one["kid"] for one in signatures.public_jwks("test-purpose")["keys"]] == [kid]
    assert "d" not in signatures.public_jwks("test-purpose")["keys"][0]


def test_the_next_key_is_published_before_it_signs(context: None) -> None:
    before = signatures.ensure_key("test-purpose")
    after = signatures.rotate_key("test-purpose", "ES256").kid
    assert signatures.ensure_key("test-purpose") == before
    assert {one["kid"] for one in signatures.public_jwks("test-purpose")["keys"]} == {before, after}
