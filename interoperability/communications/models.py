"""Official communications: what was sent, to whom, its documents and its steps."""

from __future__ import annotations

from collections.abc import Sequence as List
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Sequence, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from interoperability.communications.rules import LIFECYCLE, Side
from kernel.database.db import Base, Identified

communication_number = Sequence("communication_number", metadata=Base.metadata)
"""Numbers the codes: a sequence, so that no sender waits for another; a transaction that fails leaves a gap."""


class Communication(Base, Identified):
    """A communication as its sender signed it (DS 4 art. 36)."""

    __tablename__ = "communication"
    __table_args__ = (
        UniqueConstraint("sender", "idempotency_key"),
        # The same signed content is the same communication, whoever replays it.
        UniqueConstraint("sender", "manifest_digest"),
        Index("ix_communication_sender_id", "sender", "id"),
        CheckConstraint("status IN ('available', 'downloaded', 'acknowledged', 'rejected')", name="status"),
    )

    code: Mapped[str] = mapped_column(Text, unique=True)
    sender: Mapped[str] = mapped_column(Text)
    sender_name: Mapped[str] = mapped_column(Text)
    authority_name: Mapped[str] = mapped_column(Text)
    authority_post: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    classification: Mapped[str] = mapped_column(Text)
    manifest: Mapped[str] = mapped_column(Text)
    """The compact JWS as it came."""
    manifest_digest: Mapped[str] = mapped_column(Text)
    """SHA-256 of what was signed, which is the same however often it is signed."""
    thumbprint: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[datetime]

    addressees: Mapped[list[Addressee]] = relationship(order_by="Addressee.position", back_populates="communication")
    documents: Mapped[list[Document]] = relationship(order_by="Document.number")
    steps: Mapped[list[CommunicationStep]] = relationship(order_by="CommunicationStep.evidence")


class Addressee(Base, Identified):
    """An agency that a communication is for, and where it stands there."""

    LIFECYCLE = LIFECYCLE
    __tablename__ = "addressee"
    __table_args__ = (
        UniqueConstraint("communication_id", "agency"),
        Index("ix_addressee_agency_communication_id", "agency", "communication_id"),
        CheckConstraint("status IN ('available', 'downloaded', 'acknowledged', 'rejected')", name="status"),
    )

    communication_id: Mapped[UUID] = mapped_column(ForeignKey("communication.id"))
    position: Mapped[int]
    agency: Mapped[str] = mapped_column(Text)
    agency_name: Mapped[str] = mapped_column(Text)
    is_copy: Mapped[bool]
    persons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)

    communication: Mapped[Communication] = relationship(back_populates="addressees")

    @property
    def side(self) -> Side:
        return Side.COPY if self.is_copy else Side.ADDRESSEE

    @property
    def audit_name(self) -> str:
        """The communication: the audit tells of it what its addressees did."""
        return f"communication:{self.communication.code}"


class Document(Base, Identified):
    """A file of a communication; number 1 is the main document."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("communication_id", "number"),)

    communication_id: Mapped[UUID] = mapped_column(ForeignKey("communication.id"))
    number: Mapped[int]
    role: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    media_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text, unique=True)


class CommunicationStep(Base, Identified):
    """One thing that happened to a communication, beside its record in the evidence log."""

    __tablename__ = "communication_step"
    __table_args__ = (
        # A document is recorded as downloaded by an agency once.
        UniqueConstraint("communication_id", "addressee", "step", "document", postgresql_nulls_not_distinct=True),
    )

    communication_id: Mapped[UUID] = mapped_column(ForeignKey("communication.id"))
    evidence: Mapped[int] = mapped_column(ForeignKey("evidence_entry.number"), unique=True)
    step: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    addressee: Mapped[str | None] = mapped_column(Text)
    document: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    """The name of a person or a system, as the parties read it."""
    principal: Mapped[str | None] = mapped_column(Text)
    """Their identifier, by which whoever repeats an answer is known; None where the platform did it."""


class PartialDelivery(Base):
    """The parts of a document that an addressee has got who has not got the whole of it yet."""

    __tablename__ = "partial_delivery"
    unaudited = "the step that the parts make together is recorded"

    document_id: Mapped[UUID] = mapped_column(ForeignKey("document.id"), primary_key=True)
    addressee_id: Mapped[UUID] = mapped_column(ForeignKey("addressee.id"), primary_key=True)
    parts: Mapped[List[Range[int]]] = mapped_column(INT8MULTIRANGE)
    """Bytes, from the first of each part up to, not including, its last."""
    at: Mapped[datetime]
