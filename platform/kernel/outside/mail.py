"""Mail: one short text to one person, sent by the workers.

Without an SMTP server a mail is written to `<data_dir>/mail` as a file.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base import clock
from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.database.db import Base
from kernel.database.pruning import remove_batch, until_empty
from kernel.http.i18n import speaking
from kernel.jobs.access import ACTING_FOR
from kernel.jobs.jobs import current_job_id, job, periodic
from kernel.recording.work import Work, action, refuse_in_action

TIMEOUT_SECONDS = 10
REMEMBERED = timedelta(days=7)  # far longer than a job is tried
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


class Addressee(Protocol):
    """A person as far as a mail needs to know one; without an address nobody writes to them."""

    @property
    def email(self) -> str | None: ...

    @property
    def language(self) -> str: ...


@dataclass(frozen=True)
class Mailbox:
    """An address, and the language in which whoever reads it is written to."""

    email: str
    language: str


@dataclass(frozen=True)
class Letter:
    """A mail in words."""

    subject: str
    text: str


def write_to(work: Work, addressees: Iterable[Addressee], letter: Callable[[], Letter]) -> int:
    """Write once to each address; how many those are.

    letter: puts it into words. It is called for each reader, in their language: the one who decides may read another.
    """
    readers = {one.email: one.language for one in reversed(list(addressees)) if one.email}
    for address, language in sorted(readers.items()):
        with speaking(language):
            written = letter()
        if _is_first(work, address, written):
            named = {"letter_id": str(new_id())}
            work.defer(deliver, to=address, subject=written.subject, text=written.text, **named)
    return len(readers)


def address_for(agency: str, path: str) -> str:
    """The address of a page of ours, for a mail to an agency's officials: whoever opens it acts for that agency."""
    settings = SETTINGS()
    return f"{settings.base_url}{path}?{ACTING_FOR}={agency}"


class WrittenMail(Base):
    """A mail that a job has written: an attempt whose end was not written down may have committed it already."""

    __tablename__ = "written_mail"
    unaudited = "it only keeps a job that runs again from writing again"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)


def _is_first(work: Work, address: str, letter: Letter) -> bool:
    """Whether no earlier attempt of the job that runs here has written this."""
    job_id = current_job_id()
    if job_id is None:
        return True
    digest = sha256("\0".join((address, letter.subject, letter.text)).encode()).digest()
    noted = insert(WrittenMail).values(job_id=job_id, digest=digest, at=work.now).on_conflict_do_nothing()
    return work.session.scalar(noted.returning(WrittenMail.job_id)) is not None


@periodic("kernel:mail:forget", "7 3 * * *")
def forget_written() -> None:
    """Each night, forget the mails of jobs that have long ended."""
    until_empty(_forget_batch)


@action
def _forget_batch(work: Work) -> int:
    return remove_batch(work.session, WrittenMail, WrittenMail.at < work.now - REMEMBERED)


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
