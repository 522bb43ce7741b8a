"""Timestamps of seals: every ten minutes an authority says that the newest seal of each log exists.

A seal holds all that was sealed before it, so one token dates the whole log up to there, and not even whoever has all
of our keys can write its past anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import BigInteger, LargeBinary, Text, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from kernel.base import clock
from kernel.database.db import Base, new_session
from kernel.jobs.jobs import periodic
from kernel.keys.timestamps import AUTHORITY, BrokenTimestamp, timestamp, verify_timestamp
from kernel.recording.sealing import SealedLog, sealed_logs
from kernel.recording.work import Work, action


class SealTimestamp(Base):
    """A token over a seal."""

    __tablename__ = "seal_timestamp"
    unaudited = "it follows from the seal"

    log: Mapped[str] = mapped_column(Text, primary_key=True)
    seal: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    token: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


@periodic("kernel:seals:timestamp", "*/10 * * * *")
def timestamp_seals() -> None:
    """Get a token over the newest seal of each log, where an authority is configured.

    Raises ExceptionGroup for the logs that got none, after the others did.
    """
    if AUTHORITY() is None:
        return
    failures = list[Exception]()
    for each in sealed_logs(current_app):
        try:
            _timestamp_newest(each)
        except Exception as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup("not every log got a timestamp", failures)


def _timestamp_newest(sealed_log: SealedLog) -> None:
    with new_session() as session:
        newest = sealed_log.seal_of(session, None)
        if newest is None or session.get(SealTimestamp, (sealed_log.name, newest.number)) is not None:
            return
    _keep(sealed_log.name, newest.number, newest.digest, timestamp(newest.digest))


@action
def _keep(work: Work, log: str, seal: int, digest: bytes, token: bytes) -> None:
    row = {"log": log, "seal": seal, "digest": digest, "token": token, "at": clock.now()}
    # Two at once have dated the same seal: either token is as good.
    work.session.execute(insert(SealTimestamp).values(row).on_conflict_do_nothing())


@dataclass(frozen=True)
class TimestampVerdict:
    """The finding of a check of a log's timestamps. broken: the first seal whose token does not hold, and why."""

    timestamps: int
    newest: datetime | None
    broken: str | None


def verify_timestamps(session: Session, sealed_log: SealedLog) -> TimestampVerdict:
    """Check every token of a log against the seal as it stands there now."""
    tokens, newest = 0, None
    authority = AUTHORITY()
    for row in _rows(session, sealed_log.name):
        seal = sealed_log.seal_of(session, row.seal)
        try:
            if seal is None or seal.digest != row.digest:
                raise BrokenTimestamp("it is not the seal that was dated")
            trusted = authority.certificates() if authority else ()
            newest = verify_timestamp(row.token, row.digest, trusted)
        except BrokenTimestamp as broken:
            return TimestampVerdict(tokens, newest, f"seal {row.seal}: {broken}")
        tokens += 1
    return TimestampVerdict(tokens, newest, None)


def _rows(session: Session, log: str) -> Sequence[SealTimestamp]:
    return session.scalars(select(SealTimestamp).where(SealTimestamp.log == log).order_by(SealTimestamp.seal)).all()
