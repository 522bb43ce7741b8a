"""The day's mail: what waits for a person in one mail, each morning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

from flask_babel import gettext, ngettext
from sqlalchemy import func, select

from kernel.base import clock
from kernel.base.ids import new_id
from kernel.base.installation import SETTINGS
from kernel.base.slots import Slot
from kernel.http.i18n import speaking
from kernel.jobs.jobs import periodic
from kernel.outside.mail import MailChannel
from kernel.outside.messages import Message, Recipient
from kernel.outside.notice_models import WaitingNotice
from kernel.recording.work import Work, action

MOST_IN_ONE = 50
ONE_AT_A_TIME = 7_214_005
INBOX_PATH: Slot[str] = Slot("page_of_notices", str)
"""The page where people read their notices; empty where there is none."""


@periodic("kernel:notices:digest", "0 11 * * *")
def send_digests() -> None:
    """Each morning, write to everybody for whom something waits; what comes meanwhile waits for the next one."""
    before = clock.now()
    while send_digest(before):
        pass


@action
def send_digest(work: Work, before: datetime) -> bool:
    """Write to one person what has waited since before then; whether there was anybody.

    What waits goes with the transaction that defers its mail: each of it once, also where two run at once or one dies.
    """
    work.session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))
    waiting = select(WaitingNotice).where(WaitingNotice.created_at <= before).order_by(WaitingNotice.id)
    first = work.session.scalars(waiting.limit(1)).one_or_none()
    if first is None:
        return False
    of_person = waiting.where(WaitingNotice.person_id == first.person_id).limit(MOST_IN_ONE)
    notices = work.session.scalars(of_person).all()
    # An address that has changed since begins the next mail.
    notices = list(takewhile(lambda one: one.email == first.email, notices))
    reader = Recipient(first.email, notices[-1].language, first.person_id)
    MailChannel().post(work, reader, _gathered(notices))
    for notice in notices:
        work.session.delete(notice)
    return True


def _gathered(notices: Sequence[WaitingNotice]) -> Message:
    with speaking(notices[-1].language):
        title = ngettext("%(num)d notice of today", "%(num)d notices of today", len(notices))
        advice = gettext("You chose to be told once a day. Here you read all your notices, and change that:")
    return Message(
        new_id(),
        "",
        title,
        "\n\n— — —\n\n".join([*map(_in_full, notices), *([advice] if INBOX_PATH() else [])]),
        INBOX_PATH(),
    )


def _in_full(notice: WaitingNotice) -> str:
    text = notice.text if notice.text.startswith(notice.title) else f"{notice.title}\n\n{notice.text}"
    return f"{text}\n\n{SETTINGS().base_url}{notice.path}" if notice.path else text
