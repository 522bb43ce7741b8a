"""The keys that agencies sign with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base, Identified


class AgencyKey(Base, Identified):
    """The public half of a key, with the time from which and until which its agency answers for what it signs."""

    __tablename__ = "agency_key"
    __table_args__ = (CheckConstraint("held_by IN ('agency', 'platform')", name="held_by"),)

    agency: Mapped[str] = mapped_column(Text, index=True)
    thumbprint: Mapped[str] = mapped_column(Text, unique=True)
    jwk: Mapped[dict[str, Any]]
    algorithm: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    held_by: Mapped[str] = mapped_column(Text)
    """agency: its own system signs. platform: kept here for its officials who work in pages."""
    registered_at: Mapped[datetime]
    registered_by: Mapped[str] = mapped_column(Text)
    revoked_at: Mapped[datetime | None]
    revocation_reason: Mapped[str | None] = mapped_column(Text)

    @property
    def code(self) -> str:
        return self.thumbprint
