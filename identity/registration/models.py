"""Who may register applications, and which of them ask to go on to the next environment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Identified


class InitialAccessToken(Identified, Base):
    """RFC 7591 1.2: with it a program registers clients for its owner. Kept as a hash only.

    is_approval: whether an operator made it, so that its clients need nobody else's approval.
    """

    __tablename__ = "initial_access_token"
    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'certification', 'production')", name="environment"),
        Index("ix_initial_access_token_owner_created_at", "owner", "created_at"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    owner: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    is_approval: Mapped[bool]
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    uses_left: Mapped[int]
    revoked_at: Mapped[datetime | None]

    @property
    def code(self) -> str:
        """How the audit names it."""
        return str(self.id)


class EnvironmentRequest(Identified, Base):
    """An application's owner asks the authority to let it into the next environment."""

    __tablename__ = "environment_request"
    __table_args__ = (
        CheckConstraint("environment IN ('certification', 'production')", name="environment"),
        CheckConstraint("state IN ('waiting', 'approved', 'returned')", name="state"),
        Index("uq_environment_request_waiting", "client_id", unique=True, postgresql_where=text("state = 'waiting'")),
        Index("ix_environment_request_client_id_asked_at", "client_id", "asked_at"),
    )

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    environment: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    remark: Mapped[str | None] = mapped_column(Text)

    @property
    def code(self) -> str:
        """How the audit names it."""
        return self.client_id
