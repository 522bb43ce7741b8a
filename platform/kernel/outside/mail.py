"""Mail: one short text to one person, sent by the workers.

Without an SMTP server a mail is written to `<data_dir>/mail` as a file.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from contextlib import suppress
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from kernel.base import clock
from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.base.notices import MAIL
from kernel.jobs.jobs import job
from kernel.outside.messages import Message, Recipient
from kernel.recording.work import Work, refuse_in_action

TIMEOUT_SECONDS = 10
LONGEST_PLAIN = 65
"""Of a subject without accents, so that its line keeps below 78 characters (RFC 5322 2.1.1)."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# One address and nothing else: no list, no display name, no control character that could start another header.
ONE_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f]{1,64}@[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f]{1,255}")


class WordsOfPeople(EmailPolicy):
    """Encodes what people read in a header: the subject, and the sender's name.

    Spaces between two encoded words are no part of the text (RFC 2047 6.2), so those of the text stand inside the
    words. `EmailPolicy` writes them between, where long text with accents loses them.
    """

    def fold(self, name: str, value: Any) -> str:
        if name == "Subject":
            return f"Subject: {_encoded(str(value), name, self.linesep)}{self.linesep}"
        if name == "From":
            return f"From: {_encoded_sender(str(value), self.linesep)}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        is_ours = name in ("Subject", "From")
        return self.fold(name, value).encode("ascii") if is_ours else bytes(super().fold_binary(name, value))


def _encoded(text: str, name: str, linesep: str) -> str:
    is_plain = text.isascii() and len(text) <= LONGEST_PLAIN and "=?" not in text and text == text.strip()
    return text if is_plain else Header(text, "utf-8", header_name=name).encode(linesep=linesep)


def _encoded_sender(sender: str, linesep: str) -> str:
    name, address = parseaddr(sender)
    return f"{Header(name, 'utf-8', header_name='From').encode(linesep=linesep)} <{address}>" if name else address


class MailChannel:
    """Mail as a channel: of everybody with an address."""

    name = MAIL

    def reaches(self, recipient: Recipient) -> bool:
        return bool(recipient.email)

    def post(self, work: Work, recipient: Recipient, message: Message) -> None:
        text = message.text if message.address in message.text else f"{message.text}\n\n{message.address}"
        named = {"letter_id": str(message.id)}
        work.defer(deliver, to=recipient.email, subject=message.title, text=f"{text}\n", **named)


class UnsafeMail(ValueError):
    """The recipient is not one address, or a header has a line break: somebody tries to write headers of their own."""


@job("kernel:mail:deliver")
def deliver(to: str, subject: str, text: str, letter_id: str = "") -> None:
    """Send one mail. At least once: after a crash between sending and noting it, the mail goes out again under the same
    name (RFC 5322 3.6.4), by which mailboxes know it.
    """
    send_mail(to, subject, text, letter_id)


def send_mail(to: str, subject: str, text: str, letter_id: str = "") -> None:
    """Send now; actions defer `deliver` instead, and this raises RuntimeError in one.

    letter_id: what the mail is called, a UUIDv7; a new one if nothing is given.
    Raises UnsafeMail, OSError, smtplib.SMTPException.
    """
    refuse_in_action()
    settings = SETTINGS()
    letter_id = letter_id or str(new_id())
    message = compose(settings.mail_from, to, subject, text, letter_id)
    if settings.smtp_url:
        _send(urlsplit(settings.smtp_url), message)
    else:
        _write(settings.data_dir / "mail" / f"{letter_id}.eml", message)


def compose(sender: str, to: str, subject: str, text: str, letter_id: str) -> EmailMessage:
    """The mail as a message. Raises UnsafeMail."""
    if not ONE_ADDRESS.fullmatch(to):
        raise UnsafeMail("the recipient is not one plain address")
    if any(ord(character) < 32 for character in subject):
        raise UnsafeMail("the subject has a control character")
    message = EmailMessage(WordsOfPeople())
    message.set_raw("From", sender)
    message["To"] = to
    message.set_raw("Subject", subject)  # as it is: a subject that looks encoded is not
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{letter_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    # RFC 3834 5: no out-of-office answer to a mail that a machine wrote.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _send(server: SplitResult, message: EmailMessage) -> None:
    host, context = server.hostname or "localhost", ssl.create_default_context()
    connection: smtplib.SMTP
    if server.scheme == "smtps":
        connection = smtplib.SMTP_SSL(host, server.port or 465, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = smtplib.SMTP(host, server.port or 587, timeout=TIMEOUT_SECONDS)
    with connection:
        connection.ehlo()
        is_private = server.scheme == "smtps" or host in LOOPBACK
        if not is_private and (connection.has_extn("starttls") or server.username):
            # A password never goes over the wire in the clear: a server that cannot encrypt raises here.
            connection.starttls(context=context)
        if server.username:
            connection.login(unquote(server.username), unquote(server.password or ""))
        connection.send_message(message)


def _write(final: Path, message: EmailMessage) -> None:
    """Write the file whole or not at all; its name, a UUIDv7, sorts by time."""
    final.parent.mkdir(parents=True, exist_ok=True)
    unfinished = final.with_name(f"{new_id()}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes())
        unfinished.rename(final)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
