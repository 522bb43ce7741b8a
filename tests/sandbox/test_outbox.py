"""The outbox: only where nothing is real, and only letters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.outside.mail import send_mail
from kernel.outside.sms import deliver
from sandbox.outbox.queries import latest_letters


def test_letters_are_listed_newest_first_and_can_be_read(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        send_mail("ana@example.cl", "Primera", "Uno")
        send_mail("ana@example.cl", "Segunda", "Abra:\n\nhttp://localhost/sandbox/sign-in/abc.\n\n<b>Ñandú</b>")
        newest = latest_letters()[0]
    listed = client.get("/outbox").text
    assert listed.index("Segunda") < listed.index("Primera")
    letter = client.get(f"/outbox/{newest.id}").text
    assert 'href="http://localhost/sandbox/sign-in/abc"' in letter
    assert "&lt;b&gt;Ñandú&lt;/b&gt;" in letter


def test_sms_stand_among_them(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        send_mail("ana@example.cl", "Primera", "Uno")
        deliver(str(new_id()), "+56912345678", "Aviso http://localhost/agency/x")
        sms, mail = latest_letters()[:2]
    assert (sms.to, sms.subject, mail.subject) == ("+56912345678", "SMS", "Primera")
    assert 'href="http://localhost/agency/x"' in client.get(f"/outbox/{sms.id}").text


def test_in_production_there_is_no_outbox(app: Flask, client: FlaskClient, settings: Settings) -> None:
    with app.app_context():
        send_mail("ana@example.cl", "Secreta", "x")
        letter = latest_letters()[0]
    SETTINGS.fill(app, replace(settings, environment="production"))
    assert client.get("/outbox").status_code == 404
    assert client.get(f"/outbox/{letter.id}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/outbox/..%2Fsecret",
        "/outbox/../secret",
        "/outbox/%2e%2e%2fsecret.eml",
        "/outbox/secret",
        "/outbox/%00",
        "/outbox/019a0000-0000-7000-8000-000000000000",
        "/outbox/019a0000-0000-7000-8000-000000000000.eml",
        "/outbox/019a0000-0000-7000-8000-000000000000%2F..%2Fsecret",
    ],
)
def test_nothing_but_a_letter_can_be_read(app: Flask, client: FlaskClient, settings: Settings, path: str) -> None:
    mail = settings.data_dir / "mail"
    mail.mkdir(parents=True)
    Path(settings.data_dir / "secret").write_text("hidden treasure")
    Path(settings.data_dir / "secret.eml").write_text("Subject: hidden treasure")
    Path(mail / "secret.eml").write_text("Subject: hidden treasure")
    answer = client.get(path)
    assert answer.status_code == 404
    assert "treasure" not in answer.text
    assert "treasure" not in client.get("/outbox").text


def test_a_folder_that_is_not_there_is_an_empty_outbox(client: FlaskClient) -> None:
    assert client.get("/outbox").status_code == 200
