"""Tables of notices: the inbox, those that wait for the day's mail, choices, and what jobs have told already."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base.ids import new_id
from kernel.database.db import Base
from kernel.outside.messages import Message, Recipient


class Notice(Base):
    """A notice in a person's inbox, in the words of the day on which it came."""

    __tablename__ = "notice"
    __table_args__ = (
        Index("ix_notice_person_id_id", "person_id", "id"),
        Index("ix_notice_unread", "person_id", postgresql_where=text("read_at IS NULL")),
    )
    unaudited = "it tells of what is on record"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    read_at: Mapped[datetime | None]


class WaitingNotice(Base):
    """A notice that waits for the day's mail; it goes with the transaction that writes it."""

    __tablename__ = "waiting_notice"
    __table_args__ = (Index("ix_waiting_notice_person_id_id", "person_id", "id"),)
    unaudited = "it tells of what is on record"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID]
    email: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]

    @classmethod
    def of(cls, reader: Recipient, message: Message, at: datetime) -> Self:
        """Put a message to a person aside."""
        return cls(
            id=message.id,
            person_id=reader.person_id,
            email=reader.email,
            language=reader.language,
            title=message.title,
            text=message.text,
            path=message.path,
            created_at=at,
        )


class NoticeChoice(Base):
    """A person's choices for one kind of notice: how soon each channel tells of it, by the channel's name."""

    __tablename__ = "notice_choice"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    timings: Mapped[dict[str, str]] = mapped_column(JSONB)


class ToldNotice(Base):
    """A notice of a job: an attempt whose end was not written down may have committed it already."""

    __tablename__ = "written_mail"
    unaudited = "it only keeps a job that runs again from telling again"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
