"""The steps of a communication as rules, the mail that follows them, and a process that dies between two of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from builders.identity import a_person
from builders.interoperability import AE001, Network, a_pdf
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from identity.officials.actions import appoint
from interoperability.communications.actions import sweep_documents
from interoperability.communications.models import Communication
from interoperability.communications.rules import (
    ANSWERS,
    LIFECYCLE,
    STATUSES,
    NotAllowedNow,
    Side,
    Status,
    Transition,
    next_status,
    status_of_all,
)
from interoperability.evidence.models import EvidenceEntry
from interoperability.uploads.rules import NotAPdf, PdfProbe
from kernel.base import clock
from kernel.base.installation import SETTINGS
from kernel.database.db import session
from kernel.jobs.jobs import run_worker
from kernel.recording.audit import AuditEvent


@given(st.lists(st.sampled_from(Transition), max_size=8))
def test_whatever_is_tried_an_answer_is_given_once_and_stands(tried: list[Transition]) -> None:
    status, answers = Status.AVAILABLE, 0
    for transition in tried:
        try:
            before, status = status, next_status(status, transition)
        except NotAllowedNow:
            assert status in ANSWERS
            continue
        answers += transition is not Transition.DOWNLOAD
        assert before not in ANSWERS or status == before
    assert answers <= 1
    assert (status in ANSWERS) == (answers == 1)


@given(st.sampled_from(STATUSES), st.sampled_from(Transition))
def test_who_has_a_copy_downloads_and_answers_nothing(status: str, transition: Transition) -> None:
    may = transition in LIFECYCLE.possible(status, Side.COPY)
    assert may == (transition is Transition.DOWNLOAD)


def test_the_whole_stands_where_its_addressees_stand() -> None:
    assert status_of_all(["available", "available"]) == "available"
    assert status_of_all(["available", "downloaded"]) == "downloaded"
    assert status_of_all(["available", "acknowledged"]) == "downloaded"
    assert status_of_all(["acknowledged", "acknowledged"]) == "acknowledged"
    assert status_of_all(["acknowledged", "rejected"]) == "rejected"


@given(st.integers(1, 64), st.integers(0, 5000))
def test_a_pdf_is_known_by_its_bytes_however_they_are_cut(size: int, padding: int) -> None:
    content = a_pdf("x" * padding)
    probe = PdfProbe()
    assert b"".join(probe.watch(content[start : start + size] for start in range(0, len(content), size))) == content
    probe.check()


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-", b"%%EOF", b"x" * 2000 + a_pdf(), a_pdf() + b"x" * 2000, b"PK\x03\x04"]
)
def test_what_is_no_pdf_is_known_as_well(content: bytes) -> None:
    probe = PdfProbe()
    assert b"".join(probe.watch([content])) == content
    with pytest.raises(NotAPdf):
        probe.check()


def test_correspondents_are_told_by_mail_without_the_subject(app: Flask) -> None:
    network = Network(app)
    with app.app_context():
        person = a_person(email="juan@example.cl")
        appoint("AE002", str(person.run), "correspondent")
        other = a_person(email="ana@example.cl")
        appoint("AE001", str(other.run), "correspondent")
    code = network.sent(reference="Asunto delicado")
    network.post("AE002", f"/communications/{code}/acknowledgement")
    settings = SETTINGS.of(app)
    run_worker(app, until_empty=True)
    mails = [path.read_text() for path in (settings.data_dir / "mail").glob("*.eml")]
    assert sorted(mail.split("To: ")[1].split("\n")[0] for mail in mails) == ["ana@example.cl", "juan@example.cl"]
    assert all(code in mail and "Asunto delicado" not in mail for mail in mails)


DIES = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event, text
from kernel.database.db import RecordedSession
from kernel.base.settings import Settings
from portal.app import create_app
sys.path.insert(0, sys.argv[3])
from builders.interoperability import AE001, a_pdf
from interoperability.communications import actions, rules
from interoperability.uploads.actions import Upload, keep_uploads
from kernel.base import clock
app = create_app(Settings(environment="test", base_url="http://localhost", database_url=sys.argv[1],
    data_dir=Path(sys.argv[2]), master_key=b"the-master-key-of-the-test-suite", secret_key="x"))
with app.app_context():
    from kernel.jobs.access import Principal, act_as
    principal = Principal("official", "1", "Ana Rojas", AE001, frozenset({"correspondent"}))
    act_as(principal)
    @event.listens_for(RecordedSession, "before_commit")
    def die(current):
        current.flush()
        if current.scalar(text("SELECT count(*) FROM communication_step")):
            os.kill(os.getpid(), signal.SIGKILL)
    files = keep_uploads([Upload("o.pdf", "application/pdf", [a_pdf()])], "main")
    documents = tuple(
        rules.DocumentDescriptor(one.name, one.media_type, one.sha256, one.size, one.role) for one in files.all
    )
    draft = rules.Manifest(clock.now(), "AE001", rules.Person("A", "B"), (rules.Addressee("AE002", False, ()),),
        "Referencia", "", "letter", "public", documents)
    actions.send_from_page(principal, draft, files)
"""


def test_a_process_killed_before_its_commit_leaves_nothing_visible(app: Flask, tmp_path: Path) -> None:
    network, settings = Network(app), SETTINGS.of(app)
    command = [
        sys.executable,
        "-c",
        DIES,
        settings.database_url,
        str(settings.data_dir),
        str(Path(__file__).parents[1]),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    with app.app_context():
        assert session().scalar(select(func.count()).select_from(Communication)) == 0
        kinds = session().scalars(select(EvidenceEntry.kind).where(EvidenceEntry.kind.like("communication:%"))).all()
        tags = session().scalars(select(AuditEvent.tag).where(AuditEvent.tag.like("%communication%"))).all()
        assert (kinds, tags) == ([], [])
        [orphan] = [path for path in (settings.data_dir / "documents").rglob("*") if path.is_file()]
        with clock.shifted(timedelta(days=2)):
            sweep_documents()
        assert not orphan.exists()
    assert network.get(AE001.code, "/communications?box=outbox").get_json()["items"] == []
