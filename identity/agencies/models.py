"""Agencies, and what changed of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from identity.agencies.rules import Period
from kernel.base import clock
from kernel.database.db import TODAY, Base, Identified
from kernel.jobs.access import AgencyRef


class Agency(Identified, Base):
    """An agency of the state, by its code of the state codes manager.

    `name`, `kind` and `parent_code` are what counts today; `AgencyChangeRecord` has what counted and will count.
    """

    __tablename__ = "agency"
    __table_args__ = (
        CheckConstraint("parent_code <> code AND successor_code <> code", name="own_place"),
        CheckConstraint("valid_until >= valid_from", name="validity"),
    )

    code: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    is_authority: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(Text, server_default="service")
    # Deferred, because a whole tree comes in one transaction, parents after their children.
    parent_code: Mapped[str | None] = mapped_column(
        ForeignKey("agency.code", deferrable=True, initially="DEFERRED"), index=True
    )
    valid_from: Mapped[date] = mapped_column(server_default=TODAY)
    valid_until: Mapped[date | None]
    successor_code: Mapped[str | None] = mapped_column(ForeignKey("agency.code", deferrable=True, initially="DEFERRED"))

    @property
    def period(self) -> Period:
        return Period(self.valid_from, self.valid_until)

    @property
    def is_active(self) -> bool:
        return self.period.covers(clock.today())

    @property
    def ref(self) -> AgencyRef:
        return AgencyRef(self.code, self.name, self.is_authority, self.is_active)


class AgencyChangeRecord(Identified, Base):
    """One change of an agency: who entered it and when, from which day it counts, and the norm behind it.

    `fields` has the new value of each that changed: `name`, `kind`, `parent`, `valid_from`, `valid_until`, `successor`.
    Those with a name of the first three say what counts on a day.
    """

    __tablename__ = "agency_change"
    __table_args__ = (Index("ix_agency_change_agency_code_counts_from", "agency_code", "counts_from"),)

    agency_code: Mapped[str] = mapped_column(ForeignKey("agency.code"))
    counts_from: Mapped[date] = mapped_column(index=True)
    fields: Mapped[dict[str, Any]]
    norm: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(Text)
    changed_by_name: Mapped[str] = mapped_column(Text)

    @property
    def valid_from(self) -> date | None:
        return self._day("valid_from")

    @property
    def valid_until(self) -> date | None:
        return self._day("valid_until")

    def _day(self, field: str) -> date | None:
        value: str | None = self.fields.get(field)
        return date.fromisoformat(value) if value else None
