"""Clients: the applications and systems that may ask for tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kernel.db import Base, Identified


class Client(Identified, Base):
    """An application that people sign in to, or an agency's system (profile `machine`).

    Secrets are kept as SHA-256 only, the newest first.
    """

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("profile IN ('clave-unica', 'standard', 'fapi2', 'machine')", name="profile"),
        CheckConstraint("environment IN ('sandbox', 'production')", name="environment"),
        CheckConstraint("jsonb_array_length(secrets) <= 2", name="secrets"),
        Index("ix_client_owner_created_at", "owner", "created_at"),
    )

    client_id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    profile: Mapped[str] = mapped_column(Text)
    auth_method: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(Text)
    sector: Mapped[str] = mapped_column(Text)
    redirect_uris: Mapped[list[str]]
    post_logout_redirect_uris: Mapped[list[str]]
    scopes: Mapped[list[str]]
    binding: Mapped[dict[str, Any]]
    secrets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    secret_created_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def code(self) -> str:
        """How the audit names it."""
        return self.client_id
