"""The pictures of applications, kept by us so that no page of ours asks anybody else for one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base


class ClientLogo(Base):
    """An application's picture, a PNG of nothing but its pixels."""

    __tablename__ = "client_logo"

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[str] = mapped_column(Text)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime]

    @property
    def code(self) -> str:
        """How the audit names it."""
        return self.client_id
