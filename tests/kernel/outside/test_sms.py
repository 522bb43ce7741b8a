"""SMS: a short text to the gateway once under its name, tried again where that helps, and never elsewhere."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from builders.receiver import Answer, Receiver, a_receiver
from flask import Flask
from sqlalchemy import text

from kernel.base.errors import BadGateway, GatewayTimeout
from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.base.logs import hide_arguments
from kernel.base.notices import SMS, NoticeTemplate
from kernel.base.settings import Settings, SettingsError, load
from kernel.database.db import session
from kernel.outside import sms
from kernel.outside.messages import Recipient
from kernel.outside.notice_preferences import save_choice
from kernel.outside.notices import notify
from kernel.outside.outbound import AddressRefused
from kernel.recording.work import Work, action

NUMBER = "+56912345678"
TEMPLATE = NoticeTemplate("test.happened", "", "", "Something\thappened", "%(title)s")
ANA = Recipient("ana@example.cl", "es", UUID(int=1), "AE001")
EVA = Recipient("eva@example.cl", "es", UUID(int=2))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as found:
        yield found


@pytest.fixture
def sending(app: Flask, settings: Settings, receiver: Receiver) -> Iterator[Flask]:
    """An application with a gateway."""
    allowed = frozenset({receiver.address})
    SETTINGS.fill(app, replace(settings, sms_url=receiver.url("/sms"), sms_token="s3cret", outbound_allowed=allowed))
    with app.app_context():
        yield app


@action
def tell(work: Work, *chosen: UUID) -> None:
    for person_id in chosen:
        save_choice(work, person_id, TEMPLATE.kind, {"sms": "now"})
        work.record("identity:person:notices-chosen", f"person:{person_id}", kinds=[])
    notify(work, [ANA, EVA], TEMPLATE, "/agency/x")


def waiting() -> list[dict[str, str]]:
    query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'kernel:sms:deliver' ORDER BY id")
    return list(session().scalars(query))


def test_who_chose_it_and_has_a_number_is_told(app: Flask, context: None) -> None:
    sms.PHONE_OF.fill(app, {UUID(int=1): NUMBER}.get)
    tell()
    assert waiting() == []
    tell(UUID(int=1), UUID(int=2))
    (one,) = waiting()
    assert one["to"] == NUMBER
    assert one["text"] == "Something happened http://localhost/agency/x?acting_for=AE001"


def test_in_production_without_a_gateway_nobody_is_reached(app: Flask, settings: Settings, context: None) -> None:
    sms.PHONE_OF.fill(app, {UUID(int=1): NUMBER}.get)
    assert sms.SmsChannel().reaches(ANA)
    SETTINGS.fill(app, replace(settings, environment="production"))
    assert not sms.SmsChannel().reaches(ANA)
    sms.deliver(str(new_id()), NUMBER, "x")
    assert not (settings.data_dir / "sms").exists()


def test_without_a_gateway_it_becomes_one_file_however_often_it_runs(
    app: Flask, settings: Settings, context: None
) -> None:
    name = str(new_id())
    for _ in range(2):
        sms.deliver(name, NUMBER, "Ñandú")
    (path,) = Path(settings.data_dir / "sms").iterdir()
    assert json.loads(path.read_bytes()) == {"id": name, "to": NUMBER, "text": "Ñandú"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_gateway_is_told_under_one_name_however_often_it_runs(sending: Flask, receiver: Receiver) -> None:
    name = str(new_id())
    for _ in range(2):
        sms.deliver(name, NUMBER, "Ñandú")
    assert [json.loads(one.body) for one in receiver.requests] == [{"id": name, "to": NUMBER, "text": "Ñandú"}] * 2
    assert receiver.requests[0].headers["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("status", [302, 307, 408, 429, 500, 503])
def test_what_may_help_another_time_fails_and_no_redirect_is_followed(
    sending: Flask, receiver: Receiver, status: int
) -> None:
    receiver.answers.append(Answer(status, {"Location": receiver.url("/elsewhere")}))
    with pytest.raises(BadGateway):
        sms.deliver(str(new_id()), NUMBER, "x")
    assert [one.path for one in receiver.requests] == ["/sms"]


@pytest.mark.parametrize("status", [400, 401, 422])
def test_a_refusal_is_final_and_logged_without_the_number(
    sending: Flask, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.answers.append(Answer(status))
    with caplog.at_level(logging.INFO):
        sms.deliver(str(new_id()), NUMBER, "x")
    assert "refuses" in caplog.text
    assert str(status) in caplog.text
    assert NUMBER[1:] not in caplog.text


def test_a_silent_gateway_fails(sending: Flask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sms, "TIMEOUT_SECONDS", 0.3)
    until = threading.Event()
    receiver.answers.append(Answer(waits_for=until))
    with pytest.raises(GatewayTimeout):
        sms.deliver(str(new_id()), NUMBER, "x")
    until.set()


def test_a_private_address_is_not_called(sending: Flask, receiver: Receiver) -> None:
    SETTINGS.fill(sending, replace(SETTINGS.of(sending), sms_url=f"https://127.0.0.1:{receiver.port}/sms"))
    with pytest.raises(AddressRefused):
        sms.deliver(str(new_id()), NUMBER, "x")
    assert receiver.requests == []


def test_nothing_is_sent_in_an_action(sending: Flask, receiver: Receiver) -> None:
    @action
    def send(_work: Work) -> None:
        sms.deliver(str(new_id()), NUMBER, "x")

    with pytest.raises(RuntimeError):
        send()
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("title", "address", "expected"),
    [
        ("A\r\nB\x00C", "", "A B C"),
        ("A", "http://x/y", "A http://x/y"),
        ("A" * 400, "http://x/y", "A" * 288 + "… http://x/y"),
        ("A", "http://x/" + "y" * 400, "http://x/" + "y" * 400),
    ],
)
def test_the_title_is_cut_and_never_the_link(title: str, address: str, expected: str) -> None:
    found = sms.short_text(title, address)
    assert found.lstrip("… ") == expected
    assert len(found) <= max(sms.LONGEST_TEXT, len(address) + 2)


@pytest.mark.parametrize(("url", "token"), [("sms.example", "x"), ("https://sms.example/", ""), ("https://a b/", "x")])
def test_settings_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch, url: str, token: str) -> None:
    monkeypatch.setenv("CORDILLERA_DATABASE_URL", "postgresql://localhost/x")
    monkeypatch.setenv("CORDILLERA_SMS_URL", url)
    monkeypatch.setenv("CORDILLERA_SMS_TOKEN", token)
    with pytest.raises(SettingsError, match="CORDILLERA_SMS"):
        load()


def test_its_choices_are_at_once_or_not() -> None:
    assert [str(one) for one in TEMPLATE.timings(SMS)] == ["off", "now"]


def test_the_log_names_the_job_without_number_and_text() -> None:
    line = "Starting job kernel:sms:deliver[7](to='+56912345678', text='123456 (code)')"
    assert hide_arguments(None, "info", {"event": line}) == {"event": "Starting job kernel:sms:deliver[7]"}
