"""SMS: one short text to one telephone, sent by the workers through a gateway that speaks HTTP.

Without a gateway a text is written to `<data_dir>/sms` as a file; in production it then reaches nobody.
"""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from kernel.base.errors import BadGateway
from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.base.notices import SMS
from kernel.base.slots import Slot
from kernel.jobs.jobs import job
from kernel.outside import outbound
from kernel.outside.messages import Message, Recipient
from kernel.recording.work import Work, refuse_in_action

TIMEOUT_SECONDS = 10
LONGEST_TEXT = 300
"""Characters of a text: five pieces of a long one, where an accent makes all of it UCS-2 (3GPP TS 23.038, 23.040)."""
MAX_ANSWER_BYTES = 64 * 1024
WORTH_ANOTHER_TRY = (408, 429)
log = logging.getLogger(__name__)


def _of_nobody(_person_id: UUID) -> str | None:
    return None


PHONE_OF: Slot[Callable[[UUID], str | None]] = Slot("phone_of", lambda: _of_nobody)
"""A person's confirmed number (E.164), None where they have none."""


class SmsChannel:
    """SMS as a channel: of people who have confirmed a number."""

    name = SMS

    def reaches(self, recipient: Recipient) -> bool:
        return recipient.person_id is not None and is_open() and PHONE_OF()(recipient.person_id) is not None

    def post(self, work: Work, recipient: Recipient, message: Message) -> None:
        number = PHONE_OF()(recipient.person_id) if recipient.person_id else None
        if number:
            post_sms(work, message.id, number, short_text(message.title, message.address))


def is_open() -> bool:
    """Whether texts go anywhere: to a gateway, or into files where nothing is real."""
    return bool(SETTINGS().sms_url) or not SETTINGS().is_production


def short_text(title: str, address: str) -> str:
    """The title, cut where it is too long, and the whole address."""
    ending = f" {address}" if address else ""
    line = " ".join("".join(" " if unicodedata.category(one) == "Cc" else one for one in title).split())
    room = max(LONGEST_TEXT - len(ending), 0)
    return f"{line if len(line) <= room else line[: max(room - 1, 0)].rstrip() + '…'}{ending}".strip()


def post_sms(work: Work, sms_id: UUID, to: str, text: str) -> None:
    """Defer the job that sends a text, with the change."""
    work.defer(deliver, sms_id=str(sms_id), to=to, text=text)


@job("kernel:sms:deliver")
def deliver(sms_id: str, to: str, text: str) -> None:
    """Send one text. At least once: what is sent again has its first name, by which the gateway knows it.

    Raises Problem where another try may help.
    """
    refuse_in_action()
    settings = SETTINGS()
    content = json.dumps({"id": sms_id, "to": to, "text": text}, ensure_ascii=False).encode()
    if settings.sms_url:
        _send(settings.sms_url, settings.sms_token, sms_id, content)
    elif is_open():
        _write(settings.data_dir / "sms" / f"{sms_id}.json", content)


def _send(url: str, token: str, sms_id: str, content: bytes) -> None:
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
    }
    response = outbound.send("POST", url, headers=headers, content=content, timeout=TIMEOUT_SECONDS)
    outbound.read(response, MAX_ANSWER_BYTES, TIMEOUT_SECONDS)
    status = response.status_code
    if 400 <= status < 500 and status not in WORTH_ANOTHER_TRY:
        log.error("the SMS gateway refuses %s for good: %d", sms_id, status)
    elif not 200 <= status < 300:
        raise BadGateway(log=f"the SMS gateway answers {status}")


def _write(final: Path, content: bytes) -> None:
    """Write the file whole or not at all; its name, a UUIDv7, sorts by time."""
    final.parent.mkdir(parents=True, exist_ok=True)
    unfinished = final.with_name(f"{new_id()}.part")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(content)
    unfinished.rename(final)
