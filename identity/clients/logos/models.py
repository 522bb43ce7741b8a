"""The pictures of applications, kept by us so that no page of ours asks anybody else for one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base


class Logo(Base):
    """A PNG of nothing but its pixels, by its SHA-256. It never changes: another picture is another row."""

    __tablename__ = "logo"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    stored_at: Mapped[datetime]

    @property
    def code(self) -> str:
        """Its name in the audit."""
        return self.sha256
