"""The table of who may call whom on behalf of people."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from identity.clients.token_exchange_policies.rules import LIFECYCLE
from kernel.database.db import Base, Identified


class ExchangePolicy(Identified, Base):
    """A policy that lets one client call another on behalf of people, and for what (RFC 8693). The agency of the first
    asks for it, that of the second decides.
    """

    LIFECYCLE = LIFECYCLE
    __tablename__ = "exchange_policy"
    __table_args__ = (
        *(
            Index(
                f"uq_exchange_policy_{status}",
                "actor_client_id",
                "target_client_id",
                unique=True,
                postgresql_where=f"status = '{status}'",
            )
            for status in ("asked", "allowed")
        ),
        Index("ix_exchange_policy_target_client_id", "target_client_id"),
        CheckConstraint("status IN ('asked', 'allowed', 'refused', 'ended')", name="status"),
    )

    actor_client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    target_client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    scopes: Mapped[list[str]]
    purpose: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    reasons: Mapped[str] = mapped_column(Text, default="")
    asked_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def audit_name(self) -> str:
        """The calling client: the audit tells of it what it may do."""
        return f"client:{self.actor_client_id}"
