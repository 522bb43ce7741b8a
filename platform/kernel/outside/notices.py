"""Notices to people: `notify` tells each reader in their language, on the channels that they chose.

Nothing is sent in the transaction of the change: each channel defers a job in it. A job that runs again tells nobody
again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from hashlib import sha256

from flask import Flask
from flask_babel import format_date
from sqlalchemy.dialects.postgresql import insert

from kernel.base.errors import Text
from kernel.base.ids import new_id
from kernel.base.notices import NoticeTemplate, Timing
from kernel.database.pruning import remove_batch, until_empty
from kernel.http.i18n import speaking
from kernel.jobs.jobs import current_job_id, periodic
from kernel.outside.inbox import PageChannel
from kernel.outside.mail import MailChannel
from kernel.outside.messages import CHANNELS, Message, Recipient, path_for
from kernel.outside.notice_digest import INBOX_PATH
from kernel.outside.notice_models import ToldNotice, WaitingNotice
from kernel.outside.notice_preferences import TEMPLATES, choices_of
from kernel.outside.sms import SmsChannel
from kernel.recording.work import Work, action

REMEMBERED = timedelta(days=7)  # far longer than a job is tried
Value = Text | int | date


def notify(
    work: Work, recipients: Iterable[Recipient], template: NoticeTemplate, link: str = "", **values: Value
) -> int:
    """Tell each of them once; how many those are.

    link: the path of a page of ours; it opens for the agency for which the recipient is told. values: what the
    template's words name; a day is written out, and a text translated, in the reader's language.
    """
    readers = _once_each(recipients)
    choices = choices_of(work.session, template.kind, [one.person_id for one in readers if one.person_id])
    for reader in readers:
        message = _in_words(template, reader, link, values)
        if _is_first(work, reader, message):
            _post(work, reader, template, message, choices.get(reader.person_id, {}))
    return len(readers)


def _once_each(recipients: Iterable[Recipient]) -> list[Recipient]:
    """People before mailboxes, so that an address that both have is a person's; in one order for every transaction."""
    by_name: dict[str, Recipient] = {}
    people_first = sorted(recipients, key=lambda one: (one.person_id is None, str(one.person_id), one.email or ""))
    for one in people_first:
        if one.email or one.person_id:
            by_name.setdefault(one.email or str(one.person_id), one)
    return list(by_name.values())


def _in_words(template: NoticeTemplate, reader: Recipient, link: str, values: Mapping[str, Value]) -> Message:
    path = path_for(reader.agency, link)
    message = Message(new_id(), template.kind, "", "", path)
    with speaking(reader.language):
        words = {name: _shown(value) for name, value in values.items()} | {"link": message.address}
        title = " ".join((str(template.title) % words).split())
        text = str(template.text) % {**words, "title": title}
    return Message(message.id, template.kind, title, re.sub(r"\n{3,}", "\n\n", text).strip(), path)


def _shown(value: Value) -> str:
    return format_date(value, "long") if isinstance(value, date) else str(value)


def _post(work: Work, reader: Recipient, template: NoticeTemplate, message: Message, chosen: Mapping[str, str]) -> None:
    for channel in CHANNELS():
        timing = template.timing(channel.name, chosen)
        if timing == Timing.OFF or not channel.reaches(reader):
            continue
        if timing == Timing.DAILY:
            work.add(WaitingNotice.of(reader, message, work.now))
        else:
            channel.post(work, reader, message)


def _is_first(work: Work, reader: Recipient, message: Message) -> bool:
    """Whether no earlier attempt of the job that runs here has told them this; one may have committed and not known."""
    job_id = current_job_id()
    if job_id is None:
        return True
    parts = (reader.email or str(reader.person_id), message.kind, message.path, message.title, message.text)
    digest = sha256("\0".join(parts).encode()).digest()
    noted = insert(ToldNotice).values(job_id=job_id, digest=digest, at=work.now).on_conflict_do_nothing()
    return work.session.scalar(noted.returning(ToldNotice.job_id)) is not None


@periodic("kernel:mail:forget", "7 3 * * *")
def forget_told() -> None:
    """Each night, forget the notices of jobs that have long ended."""
    until_empty(_forget_batch)


@action
def _forget_batch(work: Work) -> int:
    return remove_batch(work.session, ToldNotice, ToldNotice.at < work.now - REMEMBERED)


def install_notices(app: Flask, templates: Collection[NoticeTemplate], inbox_path: str) -> None:
    """Take the templates that the blocks brought and the page where people read notices, and open the channels."""
    INBOX_PATH.fill(app, inbox_path)
    TEMPLATES.fill(app, {template.kind: template for template in templates})
    CHANNELS.fill(app, [PageChannel(), MailChannel(), SmsChannel()])
