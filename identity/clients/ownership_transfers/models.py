"""Applications that developers of the sandbox offer to agencies."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base, Identified


class OwnershipTransfer(Identified, Base):
    """A developer asks an agency to take an application over, so that it may leave the sandbox."""

    __tablename__ = "adoption_request"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'accepted', 'declined', 'withdrawn')", name="state"),
        Index("uq_adoption_request_waiting", "client_id", unique=True, postgresql_where=text("state = 'waiting'")),
        Index("ix_adoption_request_client_id_asked_at", "client_id", "asked_at"),
        Index("ix_adoption_request_agency_code_asked_at", "agency_code", "asked_at"),
    )

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    agency_code: Mapped[str] = mapped_column(ForeignKey("agency.code"))
    state: Mapped[str] = mapped_column(Text)
    developer: Mapped[str] = mapped_column(Text)
    developer_language: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    remark: Mapped[str | None] = mapped_column(Text)

    @property
    def code(self) -> str:
        """How the audit names it."""
        return self.client_id
