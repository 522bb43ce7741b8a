"""The evidence log in the database: sealed in order, append-only, recomputed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders.interoperability import Network
from flask import Flask
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DatabaseError

from interoperability.evidence import queries, rules
from interoperability.evidence.actions import append
from kernel.database.db import engine, session
from kernel.recording.audit import AuditEvent
from kernel.recording.sealing import seal_all
from kernel.recording.work import Work, action
from portal.local.postgres import EmbeddedPostgres


@action
def write(work: Work, number: int) -> None:
    append(work, "test:thing:done", f"thing:{number}", {"número": str(number)})
    work.record("test:thing:done", f"thing:{number}")


def fill(app: Flask, *batches: int) -> None:
    number = 0
    for batch in batches:
        with app.app_context():
            for _each in range(batch):
                write(number)
                number += 1
        assert seal_all(app) >= batch


@pytest.fixture
def intruder(postgres: EmbeddedPostgres, worker_database: str) -> Iterator[Connection]:
    """A database superuser, who can switch triggers off."""
    superuser = create_engine(postgres.url(make_url(worker_database).database or "", role="postgres"))
    with superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
    superuser.dispose()


def test_a_log_that_was_left_alone_holds(app: Flask) -> None:
    fill(app, 1, 5, 2)
    with app.app_context():
        assert queries.audit() == queries.Verdict(entries=8, checkpoints=3, unsealed=0, broken=None)


def test_a_log_longer_than_a_batch_holds(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "AUDIT_BATCH", 4)
    fill(app, 3, 1, 2, 9, 1)
    with app.app_context():
        assert queries.audit() == queries.Verdict(entries=16, checkpoints=5, unsealed=0, broken=None)


def test_records_wait_for_the_sealer_and_keep_their_order(app: Flask) -> None:
    with app.app_context():
        for number in range(3):
            write(number)
        assert queries.audit() == queries.Verdict(0, 0, 3, None)
    seal_all(app)
    with app.app_context():
        rows = session().execute(text("SELECT subject FROM evidence_entry ORDER BY position")).all()
        assert [subject for (subject,) in rows] == ["thing:0", "thing:1", "thing:2"]


def test_what_rolls_back_leaves_no_record(app: Flask) -> None:
    @action
    def fail(work: Work) -> None:
        write(1)
        raise RuntimeError

    with app.app_context():
        with pytest.raises(RuntimeError):
            fail()
        assert queries.audit().unsealed == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence_entry SET statement = '{}'",
        "UPDATE evidence_entry SET position = 7 WHERE position = 1",
        "UPDATE evidence_entry SET position = NULL",
        "UPDATE evidence_node SET hash = ''",
        "UPDATE evidence_checkpoint SET note = ''",
        "DELETE FROM evidence_entry",
        "DELETE FROM evidence_node",
        "DELETE FROM evidence_checkpoint",
        "TRUNCATE evidence_node",
        "TRUNCATE evidence_entry CASCADE",
    ],
)
def test_nothing_sealed_can_be_changed_or_removed(app: Flask, statement: str) -> None:
    fill(app, 3)
    with app.app_context():
        with pytest.raises(DatabaseError, match="append-only"), engine().begin() as connection:
            connection.execute(text(statement))
        assert queries.audit().broken is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence_entry SET statement = replace(statement, '\"1\"', '\"2\"') WHERE position = 1",
        "UPDATE evidence_entry SET subject = 'thing:9' WHERE position = 1",
        "UPDATE evidence_entry SET statement = '[' WHERE position = 3",
        "DELETE FROM evidence_entry WHERE position = 2",
        "DELETE FROM evidence_entry WHERE position = 4",
        "UPDATE evidence_node SET hash = decode(repeat('00', 32), 'hex') WHERE level = 1 AND number = 0",
        "DELETE FROM evidence_node WHERE level = 0 AND number = 3",
        "UPDATE evidence_checkpoint SET root = decode(repeat('00', 32), 'hex') WHERE size = 2",
        "UPDATE evidence_checkpoint SET note = replace(note, '5', '6') WHERE size = 5",
        "DELETE FROM evidence_checkpoint WHERE size = 5",
    ],
)
def test_an_intruder_with_all_rights_is_found_by_recomputing(app: Flask, intruder: Connection, statement: str) -> None:
    fill(app, 2, 3)
    assert intruder.execute(text(statement)).rowcount == 1
    intruder.commit()
    with app.app_context():
        assert queries.audit().broken


def test_anyone_follows_the_log_from_checkpoint_to_checkpoint(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/api/v1/evidence/checkpoint").status_code == 404
    fill(app, 3)
    old = rules.open_note(client.get("/api/v1/evidence/checkpoint").text, keys(app))
    fill(app, 5)
    new = rules.open_note(client.get("/api/v1/evidence/checkpoint").text, keys(app))
    answer = client.get(f"/api/v1/evidence/consistency?from={old.size}&to={new.size}").get_json()
    proof = [bytes.fromhex(step) for step in answer["proof"]]
    assert rules.is_consistent(old.size, old.root, new.size, new.root, proof)
    wrong = {"from=0&to=1": 422, "from=5&to=3": 404, "from=1&to=99": 404, "from=x&to=1": 422, "to=1": 422}
    assert {asked: client.get(f"/api/v1/evidence/consistency?{asked}").status_code for asked in wrong} == wrong


def keys(app: Flask) -> list[dict[str, str]]:
    found: list[dict[str, str]] = app.test_client().get("/api/v1/evidence/keys").get_json()["keys"]
    return found


def test_steps_of_a_communication_are_in_the_log_and_in_the_audit(app: Flask) -> None:
    network = Network(app)
    network.sent()
    with app.app_context():
        assert queries.audit().entries == 3
        assert session().query(AuditEvent).filter(AuditEvent.tag.like("interoperability:%")).count() == 2
