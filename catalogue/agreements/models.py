"""The table of agreements."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Sequence, Text
from sqlalchemy.orm import Mapped, mapped_column

from catalogue.agreements.rules import LIFECYCLE, SUSPENDER, Side, Status, Transition
from kernel.database.db import Base, Identified

AGREEMENT_NUMBER = Sequence("agreement_number", metadata=Base.metadata)


class Agreement(Identified, Base):
    """One agency's use of one version of another's service, for one purpose.

    It names service, version and both agencies as they were agreed on. At most one open agreement covers the same
    consumer, service and purpose: the database itself refuses a second one.
    """

    LIFECYCLE = LIFECYCLE
    __tablename__ = "agreement"
    __table_args__ = (
        Index(
            "uq_agreement_open_purpose",
            "consumer",
            "service_code",
            "purpose_key",
            unique=True,
            postgresql_where="status IN ('requested', 'active', 'suspended')",
        ),
        Index("ix_agreement_consumer_requested_at", "consumer", "requested_at", "id"),
        Index("ix_agreement_owner_requested_at", "owner", "requested_at", "id"),
        Index("ix_agreement_service_version_id", "service_version_id"),
    )

    code: Mapped[str] = mapped_column(Text, unique=True)
    service_version_id: Mapped[UUID] = mapped_column(ForeignKey("service_version.id"))
    service_code: Mapped[str] = mapped_column(Text)
    service_name: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    consumer: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    purpose_key: Mapped[str] = mapped_column(Text)
    legal_basis: Mapped[str] = mapped_column(Text)
    personal_data: Mapped[bool]
    daily_calls: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    reasons: Mapped[str] = mapped_column(Text)
    suspended_by: Mapped[str | None] = mapped_column(Text)
    ended_by: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime]
    answer_by: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    client_id: Mapped[str | None] = mapped_column(Text)
    client_issued_at: Mapped[datetime | None]

    def side_of(self, agency_code: str) -> Side | None:
        """Return the side that an agency is on; None for an agency that is no party."""
        return {self.owner: Side.OWNER, self.consumer: Side.CONSUMER}.get(agency_code)

    def sides_of(self, side: Side) -> list[str]:
        """The side, and that it is the one that suspended the agreement."""
        return [side, SUSPENDER] if side == self.suspended_by else [side]

    def transitions_for(self, side: Side) -> list[Transition]:
        return self.LIFECYCLE.possible(self.status, *self.sides_of(side))

    @property
    def is_active(self) -> bool:
        return self.status == Status.ACTIVE
