"""Agencies and who holds which role in them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base, Identified
from kernel.jobs.access import AgencyRef


class Agency(Identified, Base):
    """An agency of the state, by its code of the state codes manager."""

    __tablename__ = "agency"

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    is_authority: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]

    @property
    def ref(self) -> AgencyRef:
        return AgencyRef(self.code, self.name, self.is_authority)


class Membership(Identified, Base):
    """One role of one person at one agency."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("agency_code", "person_id", "role", name="uq_membership_agency_code_person_id_role"),
        CheckConstraint("role IN ('administrator', 'publisher', 'correspondent')", name="role"),
    )

    agency_code: Mapped[str] = mapped_column(ForeignKey("agency.code"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
