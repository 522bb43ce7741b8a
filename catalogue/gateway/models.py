"""The table of calls through the gateway."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from catalogue.gateway.settings import GatewaySettings
from kernel.base.ids import new_id
from kernel.database.db import Base
from kernel.database.partitions import RetentionPeriod


class GatewayCall(Base):
    """One call: written before the provider is asked, completed when its answer has gone out.

    A call without `status` was cut off: the process died, or has not finished. No path, parameter or body is kept: they
    are the two agencies' own affair and often personal data.
    """

    __tablename__ = "gateway_call"
    __table_args__ = (
        Index("ix_gateway_call_agreement_at", "agreement", "at"),
        Index("ix_gateway_call_owner_at", "owner", "at"),
        Index("ix_gateway_call_consumer_at", "consumer", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    unaudited = "it is itself the record of a call"
    retention_period = RetentionPeriod(lambda settings: settings.of(GatewaySettings).gateway_calls_kept_months)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    trace: Mapped[str] = mapped_column(Text)
    agreement: Mapped[str] = mapped_column(Text)
    service: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    consumer: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str] = mapped_column(Text)
    method: Mapped[str] = mapped_column(Text)
    status: Mapped[int | None]
    failed: Mapped[str | None] = mapped_column(Text)
    milliseconds: Mapped[int | None]


class GatewayDay(Base):
    """Calls of a day as servers of the version before count them, until they are replaced: now a counter does."""

    __tablename__ = "gateway_day"
    unaudited = "it counts what gateway_call records"

    agreement: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date]
    calls: Mapped[int]
