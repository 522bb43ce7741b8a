"""Applications that developers of the sandbox offer to agencies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from identity.clients.ownership_transfers.rules import LIFECYCLE
from kernel.database.db import Base, Identified


class OwnershipTransfer(Identified, Base):
    """A developer asks an agency to take an application over, so that it may leave the sandbox."""

    LIFECYCLE = LIFECYCLE
    __tablename__ = "adoption_request"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'accepted', 'declined', 'withdrawn', 'expired')", name="state"),
        Index("uq_adoption_request_waiting", "client_id", unique=True, postgresql_where=text("state = 'waiting'")),
        Index("ix_adoption_request_client_id_asked_at", "client_id", "asked_at"),
        Index("ix_adoption_request_agency_code_asked_at", "agency_code", "asked_at"),
    )

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    agency_code: Mapped[str] = mapped_column(ForeignKey("agency.code"))
    status: Mapped[str] = mapped_column("state", Text)
    developer: Mapped[str] = mapped_column(Text)
    developer_language: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    answer_by: Mapped[datetime | None]
    """The end of the offer, if nobody answers; null in what a node of the version before wrote."""
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    remark: Mapped[str | None] = mapped_column(Text)

    @property
    def audit_name(self) -> str:
        """The application: the audit tells of it who has offered it, and what became of that."""
        return f"client:{self.client_id}"
