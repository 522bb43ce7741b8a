"""Developers of the sandbox, the links that let them in, and their sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kernel.database.db import Base, Identified


class Developer(Identified, Base):
    """Somebody who builds on Cordillera: an e-mail that they have shown to be theirs, in lower case."""

    __tablename__ = "developer"

    email: Mapped[str] = mapped_column(Text, unique=True)
    created_at: Mapped[datetime]


class DeveloperLink(Identified, Base):
    """A link sent by mail; it works once. `address` is where it was asked from, to slow down who asks for everybody."""

    __tablename__ = "developer_link"
    __table_args__ = (
        Index("ix_developer_link_email_created_at", "email", "created_at"),
        Index("ix_developer_link_address_created_at", "address", "created_at"),
    )
    unaudited = "short-lived; the sign-in that it leads to is recorded"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    next_path: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class DeveloperSession(Identified, Base):
    """A browser in which a developer is signed in."""

    __tablename__ = "developer_session"
    unaudited = "short-lived; signing in and out is recorded"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    developer_id: Mapped[UUID] = mapped_column(ForeignKey("developer.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    developer: Mapped[Developer] = relationship(lazy="joined")
