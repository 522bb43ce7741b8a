"""Tables of officials: who holds which function at which agency."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from identity.agencies.rules import Period
from kernel.database.db import TODAY, Base, Identified


class Appointment(Identified, Base):
    """One function of one person at one agency, as holder or deputy, for a term; kept when it is over."""

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint("ends_on >= starts_on", name="term"),
        Index("ix_appointment_agency_code_person_id", "agency_code", "person_id"),
    )

    agency_code: Mapped[str] = mapped_column(ForeignKey("agency.code"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    function: Mapped[str] = mapped_column(Text)
    is_deputy: Mapped[bool] = mapped_column(server_default=text("false"))
    starts_on: Mapped[date] = mapped_column(server_default=TODAY)
    ends_on: Mapped[date | None]
    norm: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime]
    created_by_name: Mapped[str] = mapped_column(Text, server_default="")
    ended_at: Mapped[datetime | None]
    ended_by_name: Mapped[str] = mapped_column(Text, server_default="")

    @property
    def term(self) -> Period:
        return Period(self.starts_on, self.ends_on)

    def is_in_effect(self, day: date) -> bool:
        """Whether rights follow from it on a day: that of its end none, once somebody ended it."""
        return self.ended_at is None and self.term.covers(day)
