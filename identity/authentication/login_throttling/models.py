"""The counters that slow guessing down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base


class SignInThrottle(Base):
    """The late failures of an account or an address, and the time at which it may try again."""

    __tablename__ = "sign_in_throttle"
    unaudited = "a counter; each refusal has its own record"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[float]
    counted_at: Mapped[datetime] = mapped_column(index=True)
    allowed_at: Mapped[datetime]
