"""Second factors."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from identity.authentication.one_time_codes.rules import ENROLMENT_LIFETIME
from kernel.database.db import Base


class SecondFactor(Base):
    """The secret that a person's app computes codes with, sealed; it counts once a first code has confirmed it.

    last_step: the latest step whose code was accepted. recovery_hashes: of the recovery codes not used yet.
    """

    __tablename__ = "second_factor"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    begun_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    recovery_hashes: Mapped[list[str]]

    def is_activatable(self, now: datetime) -> bool:
        """Whether a first code may still confirm it."""
        return self.confirmed_at is None and now - self.begun_at <= ENROLMENT_LIFETIME
