"""Requests of applications' owners to the authority."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from identity.clients.client_reviews.rules import OF_CHANGE, OF_ENVIRONMENT, Status, Transition
from kernel.base.lifecycles import Lifecycle
from kernel.database.db import Base, Identified


class ClientReview(Identified, Base):
    """To let an application into an environment, or to change one that is in use. At most one waits for each.

    `changes`: the fields of its registration that would be different, each `before` and `after`, so that what changes
    of them while it waits is not undone; null where only the environment would be. `decide_by`: null in what a node of
    the version before wrote.
    """

    __tablename__ = "approval_request"
    __table_args__ = (
        CheckConstraint("environment IN ('certification', 'production')", name="environment"),
        CheckConstraint("state IN ('waiting', 'approved', 'returned', 'withdrawn')", name="state"),
        Index("uq_approval_request_waiting", "client_id", unique=True, postgresql_where=text("state = 'waiting'")),
        Index("ix_approval_request_client_id_asked_at", "client_id", "asked_at"),
    )

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    environment: Mapped[str] = mapped_column(Text)
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    status: Mapped[str] = mapped_column("state", Text)
    asked_by: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    decide_by: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None]
    remark: Mapped[str | None] = mapped_column(Text)

    @property
    def LIFECYCLE(self) -> Lifecycle[Status, Transition]:  # noqa: N802 - which table it is depends on what is asked
        return OF_ENVIRONMENT if self.changes is None else OF_CHANGE

    @property
    def audit_name(self) -> str:
        """The application: the audit tells of it what was asked and decided."""
        return f"client:{self.client_id}"
