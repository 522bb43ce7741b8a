"""The inbox: notices as rows that a person reads on our pages, for half a year."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from kernel.base.errors import NotFound
from kernel.base.notices import PAGE
from kernel.database.db import session
from kernel.database.pagination import Page, page
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import job, periodic
from kernel.outside.messages import Message, Recipient
from kernel.outside.notice_models import Notice
from kernel.recording.work import Work, action

KEPT = timedelta(days=180)
MOST_COUNTED = 99


class PageChannel:
    """The inbox as a channel: of people, for a mailbox has no pages."""

    name = PAGE

    def reaches(self, recipient: Recipient) -> bool:
        return recipient.person_id is not None

    def post(self, work: Work, recipient: Recipient, message: Message) -> None:
        work.defer(
            put_into_inbox,
            notice_id=str(message.id),
            person_id=str(recipient.person_id),
            kind=message.kind,
            title=message.title,
            text=message.text,
            path=message.path,
            at=work.now.isoformat(),
        )


@job("kernel:inbox:put")
def put_into_inbox(**notice: str) -> None:
    """Put a notice into a person's inbox, once however often it runs."""
    _put(notice)


@action
def _put(work: Work, notice: dict[str, str]) -> None:
    row = {
        "id": UUID(notice["notice_id"]),
        "person_id": UUID(notice["person_id"]),
        "created_at": datetime.fromisoformat(notice["at"]),
        **{name: notice[name] for name in ("kind", "title", "text", "path")},
    }
    work.session.execute(insert(Notice).values(row).on_conflict_do_nothing())


def notices_of(person_id: UUID, *, cursor: str | None = None, limit: int | None = None) -> Page[Notice]:
    """A person's notices, the newest first. Raises Invalid for a wrong cursor or limit."""
    query = select(Notice).where(Notice.person_id == person_id)
    return page(session(), query, [Notice.id], cursor=cursor, limit=limit)


def unread_count(person_id: UUID) -> int:
    """The number of notices that a person has not read, beyond a hundred not exactly."""
    unread = select(Notice.id).where(Notice.person_id == person_id, Notice.read_at.is_(None)).limit(MOST_COUNTED + 1)
    return session().scalar(select(func.count()).select_from(unread.subquery())) or 0


@action
def mark_read(work: Work, person_id: UUID, notice_id: UUID) -> Notice:
    """Note that a person has read one of their notices. Raises NotFound, also for another person's."""
    query = select(Notice).where(Notice.id == notice_id, Notice.person_id == person_id)
    notice = work.session.scalars(query.with_for_update()).one_or_none()
    if notice is None:
        raise NotFound()
    notice.read_at = notice.read_at or work.now
    return notice


@action
def mark_all_read(work: Work, person_id: UUID) -> None:
    """Note that a person has read all that they have now."""
    unread = (Notice.person_id == person_id, Notice.read_at.is_(None), Notice.created_at <= work.now)
    work.session.execute(update(Notice).where(*unread).values(read_at=work.now))


@periodic("kernel:inbox:forget", "41 3 * * *")
def forget_old() -> None:
    """Each night, take away what has been there for half a year, read or not."""
    until_empty(_forget_batch)


@action
def _forget_batch(work: Work) -> int:
    return remove_batch(work.session, Notice, Notice.created_at < work.now - KEPT)
