"""Initial access tokens of programs that may register applications."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base.parties import Party
from kernel.database.db import Base, Identified
from kernel.database.parties import PartyType


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
    owner: Mapped[Party] = mapped_column(PartyType)
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
        """Its name in the audit."""
        return str(self.id)
