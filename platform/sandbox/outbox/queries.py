"""Reads of the mail and the SMS that were written to files instead of being sent."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

from kernel.base.errors import NotFound
from kernel.base.installation import settings
from sandbox.outbox.rules import Letter

MOST = 100


def latest_letters() -> list[Letter]:
    """The newest letters first, at most a hundred."""
    newest = sorted(_names(), reverse=True)[:MOST]
    return [letter for name in newest if (letter := _read(name))]


def get_letter(letter_id: UUID) -> Letter:
    """One letter. Raises NotFound."""
    letter = _read(str(letter_id))
    if letter is None:
        raise NotFound()
    return letter


def _file(name: str) -> Path:
    """A letter's file; one that is no mail is an SMS."""
    mail = settings().data_dir / "mail" / f"{name}.eml"
    return mail if mail.exists() else settings().data_dir / "sms" / f"{name}.json"


def _names() -> Iterator[str]:
    """The letters' names: what else lies in the folders is not ours to show."""
    folder = settings().data_dir
    for path in (*folder.glob("mail/*.eml"), *folder.glob("sms/*.json")):
        try:
            yield str(UUID(path.stem))
        except ValueError:
            continue


def _read(name: str) -> Letter | None:
    """The letter, None where it has gone: the folders may be emptied at any time."""
    try:
        file = _file(name)
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    identifier = UUID(name)
    # RFC 9562 5.7: the first 48 bits of a UUIDv7 are milliseconds since 1970.
    at = datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
    if file.suffix == ".json":
        sms = json.loads(content)
        return Letter(identifier, at, sms["to"], "SMS", sms["text"])
    message = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
    body = message.get_body()
    text = body.get_content() if body is not None else ""
    return Letter(identifier, at, str(message["To"] or ""), str(message["Subject"] or ""), text)
