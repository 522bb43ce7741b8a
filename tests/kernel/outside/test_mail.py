from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.utils import parseaddr
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.base.settings import Settings
from kernel.outside import mail


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Flask]:
    """The least application that can send mail; no database is needed."""
    app = Flask("mail")
    SETTINGS.fill(app, Settings(data_dir=tmp_path))
    with app.app_context():
        yield app


def test_without_a_server_mail_becomes_a_file_with_accents_intact(sending: Flask, tmp_path: Path) -> None:
    mail.send_mail("ana@example.cl", "Su enlace está listo", "Buenos días, Íñigo.\n")
    [path] = (tmp_path / "mail").iterdir()
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert message["To"] == "ana@example.cl"
    assert message["Subject"] == "Su enlace está listo"
    body = message.get_body()
    assert body is not None
    assert body.get_content() == "Buenos días, Íñigo.\n"


def test_files_sort_by_time_and_nothing_unfinished_stays(sending: Flask, tmp_path: Path) -> None:
    for number in range(5):
        mail.send_mail("ana@example.cl", f"Mail {number}", "x")
    paths = sorted((tmp_path / "mail").iterdir())
    assert [path.suffix for path in paths] == [".eml"] * 5
    assert [email.message_from_bytes(path.read_bytes())["Subject"] for path in paths] == [f"Mail {n}" for n in range(5)]


@pytest.mark.parametrize(
    "to",
    [
        "ana@example.cl\r\nBcc: all@example.cl",
        "ana@example.cl\nX: y",
        "ana@example.cl, eva@example.cl",
        "Ana <ana@example.cl>",
        "ana",
        "",
        "ana@example.cl\x00",
    ],
)
def test_a_recipient_that_is_not_one_address_is_refused(sending: Flask, tmp_path: Path, to: str) -> None:
    with pytest.raises(mail.UnsafeMail):
        mail.send_mail(to, "Hello", "x")
    assert not (tmp_path / "mail").exists()


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: all@example.cl", "Hello\nworld", "\x00"])
def test_a_subject_cannot_start_another_header(sending: Flask, subject: str) -> None:
    with pytest.raises(mail.UnsafeMail):
        mail.send_mail("ana@example.cl", subject, "x")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=400))
@example("La Municipalidad de Ñuñoa solicita División político-administrativa y Catastro de Bienes Raíces")
@example("An agency asks for an agreement to use a service with a name longer than a line of a mail may be")
@example("=?utf-8?q?a?= =?utf-8?q?b?=")
@example("  a  ")
def test_a_subject_reads_back_as_it_was_written(subject: str) -> None:
    content = bytes(mail.compose("no-responder@cordillera.example", "ana@example.cl", subject, "x", str(new_id())))
    assert max(map(len, content.split(b"\n"))) <= 78
    assert email.message_from_bytes(content, policy=email.policy.default)["Subject"] == subject
    assert str(make_header(decode_header(email.message_from_bytes(content)["Subject"]))) == subject


@given(st.text(st.characters(categories=["L", "Nd"], include_characters=" "), min_size=1, max_size=200))
@example("Plataforma de Servicios Compartidos e Identidad de la Administración del Estado de Chile")
def test_the_name_of_the_sender_reads_back_as_it_was_written(name: str) -> None:
    name = " ".join(name.split()) or "x"
    message = mail.compose(f"{name} <no-responder@cordillera.example>", "ana@example.cl", "Hello", "x", str(new_id()))
    shown, address = parseaddr(email.message_from_bytes(bytes(message))["From"].replace("\n", ""))
    assert (str(make_header(decode_header(shown))), address) == (name, "no-responder@cordillera.example")
    assert message["Message-ID"].endswith("@cordillera.example>")


class Postbox(socketserver.StreamRequestHandler):
    """A mail server that says yes to everything and keeps what it hears."""

    def handle(self) -> None:
        self.wfile.write(b"220 box\r\n")
        in_data = False
        for line in self.rfile:
            self.server.heard.append(line)  # type: ignore[attr-defined]
            if in_data:
                if line == b".\r\n":
                    in_data = False
                    self.wfile.write(b"250 kept\r\n")
                continue
            verb = line[:4].upper()
            in_data = verb == b"DATA"
            self.wfile.write({b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n"))
            if verb == b"QUIT":
                return


def test_with_a_server_mail_is_sent_to_it(sending: Flask) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Postbox) as server:
        server.heard = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        SETTINGS.fill(sending, Settings(smtp_url=f"smtp://127.0.0.1:{port}"))
        mail.send_mail("ana@example.cl", "Hello", "One line.\n.\nAnd another.\n")
        server.shutdown()
    heard = b"".join(server.heard)  # type: ignore[attr-defined]
    assert b"rcpt TO:<ana@example.cl>" in heard
    assert b"\r\n..\r\nAnd another.\r\n.\r\n" in heard
