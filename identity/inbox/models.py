"""Codes that confirm telephones."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base


class PhoneCode(Base):
    """The latest code that was sent to a telephone for a person; without a hash once it was used."""

    __tablename__ = "phone_code"
    unaudited = "what was sent, confirmed and refused has its own records"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(Text, index=True)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    sent_at: Mapped[datetime] = mapped_column(index=True)
