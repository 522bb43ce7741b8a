"""Clients: the applications and systems that may ask for tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base.parties import Party
from kernel.database.db import Base, Identified
from kernel.database.parties import PartyType


class Client(Identified, Base):
    """An application that people sign in to, or an agency's system (profile `machine`).

    Secrets are kept as SHA-256 only, the newest first. `options` are what it chose in the words of RFC 7591 2 and its
    extensions. `warned_of` is the end that its owners were last told of; `keys_end_at` and `keys_failing_since` are
    what was last seen of the keys at `jwks_uri`.
    """

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("profile IN ('clave-unica', 'standard', 'fapi2', 'machine')", name="profile"),
        CheckConstraint("environment IN ('sandbox', 'certification', 'production')", name="environment"),
        CheckConstraint("jsonb_array_length(secrets) <= 2", name="secrets"),
        Index("ix_client_owner_created_at", "owner", "created_at"),
    )

    client_id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    profile: Mapped[str] = mapped_column(Text)
    auth_method: Mapped[str] = mapped_column(Text)
    environment: Mapped[str] = mapped_column(Text)
    owner: Mapped[Party] = mapped_column(PartyType)
    sector: Mapped[str] = mapped_column(Text)
    redirect_uris: Mapped[list[str]]
    post_logout_redirect_uris: Mapped[list[str]]
    scopes: Mapped[list[str]]
    service_binding: Mapped[dict[str, Any]] = mapped_column("binding")
    secrets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    secret_created_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    jwks_uri: Mapped[str | None] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    logo_uri: Mapped[str | None] = mapped_column(Text)
    logo: Mapped[str | None] = mapped_column(ForeignKey("logo.sha256"))
    contacts: Mapped[list[str]] = mapped_column(default=list)
    scope_reasons: Mapped[dict[str, Any]] = mapped_column(default=dict)
    approved_by: Mapped[str | None] = mapped_column(Text)
    approved_at: Mapped[datetime | None]
    registration_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    warned_of: Mapped[datetime | None]
    keys_end_at: Mapped[datetime | None]
    keys_failing_since: Mapped[datetime | None]

    @property
    def code(self) -> str:
        """Its name in the audit."""
        return self.client_id


class UsedProof(Base):
    """Something signed by a client that works once (RFC 7523 3 and RFC 9449 11.1), by the hash of its `jti`."""

    __tablename__ = "used_proof"
    __table_args__ = {"prefixes": ["UNLOGGED"]}
    unaudited = "it lives for minutes, and says only that something was used"

    proof_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
