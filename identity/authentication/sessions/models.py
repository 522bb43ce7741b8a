"""Sessions, and the counters that slow guessing down."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base, Identified


class SignInSession(Identified, Base):
    """One sign-in of one person in one browser.

    The cookie's value is kept as a hash only; `sid` is the name that the session has outside.
    """

    __tablename__ = "sign_in_session"
    __table_args__ = (
        Index("ix_sign_in_session_living_last_seen_at", "last_seen_at", postgresql_where="ended_at IS NULL"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    sid: Mapped[str] = mapped_column(Text, unique=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    agency_code: Mapped[str | None] = mapped_column(ForeignKey("agency.code"))
    acr: Mapped[str] = mapped_column(Text)
    amr: Mapped[list[str]]
    device: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    authenticated_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
