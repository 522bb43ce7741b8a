"""The tables of the append-only log."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base.ids import new_id
from kernel.database.db import Base


class EvidenceEntry(Base):
    """Something that happened, as canonical JSON (RFC 8785). A trigger allows nothing but to set `position`, once."""

    __tablename__ = "evidence_entry"
    __table_args__ = (Index("ix_evidence_entry_unsealed", "number", postgresql_where="position IS NULL"),)
    unaudited = "it is a record itself, written beside the audit's own"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    """In the order of writing, so that what follows from another entry has the higher one."""
    id: Mapped[UUID] = mapped_column(unique=True, default=new_id)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text, index=True)
    statement: Mapped[str] = mapped_column(Text)
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    """Its leaf in the tree; none until the sealer has been."""


class EvidenceNode(Base):
    """The hash of a complete subtree, so that a proof reads a few rows of a log of any length."""

    __tablename__ = "evidence_node"
    unaudited = "it follows from the entries"

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class EvidenceCheckpoint(Base):
    """The state of the log after a batch, signed."""

    __tablename__ = "evidence_checkpoint"
    unaudited = "it follows from the entries"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    note: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[datetime]
