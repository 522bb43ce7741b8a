"""Tables of the provider: codes, tokens (hashes only) and consents."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from kernel.database.db import Base, Identified


class PushedRequest(Base):
    """An authorization request that a client sent us directly (RFC 9126), by the hash of its request_uri.

    Its parameters are sealed. It is used up when a code is issued for it, not when it is looked at.
    """

    __tablename__ = "pushed_request"
    unaudited = "it lives for minutes; the sign-in that it leads to is recorded"

    uri_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    client_id: Mapped[str] = mapped_column(Text)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class Grant(Identified, Base):
    """One sign-in of one person to one application: first a code, then the root of every token given for it.

    The code works until `expires_at`, a few minutes at most. The row stays until `kept_until`, when nothing that came
    of it can be used any more: an hour and the code's time, or 30 days with `offline_access`, begun anew by each
    refresh. Revoking it ends all that came of it.
    """

    __tablename__ = "authorization_code"
    __table_args__ = (
        Index("ix_authorization_code_person_id_client_id", "person_id", "client_id"),
        Index("ix_authorization_code_revoked_at", "revoked_at", postgresql_where="revoked_at IS NOT NULL"),
        # Room on its page for the code to be used up there, without touching an index.
        {"postgresql_with": {"fillfactor": 80}},
    )
    unaudited = "entering the application, the code's redemption and replay, and what ends the grant are recorded"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    client_id: Mapped[str] = mapped_column(Text)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    redirect_uri: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]] = mapped_column(default=list)
    authorization_details: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    claims: Mapped[dict[str, Any]] = mapped_column(default=dict)
    nonce: Mapped[str | None] = mapped_column(Text)
    code_challenge: Mapped[str | None] = mapped_column(Text)
    sid: Mapped[str] = mapped_column(Text, index=True)
    authenticated_at: Mapped[datetime]
    acr: Mapped[str] = mapped_column(Text)
    amr: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    redeemed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    kept_until: Mapped[datetime] = mapped_column(index=True)
    dpop_jkt: Mapped[str | None] = mapped_column(Text)
    cert_thumbprint: Mapped[str | None] = mapped_column(Text)


class AccessToken(Base):
    """An access token of a person, by its hash."""

    __tablename__ = "access_token"
    unaudited = "it lives for an hour; the sign-in it belongs to is recorded"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    code_id: Mapped[UUID] = mapped_column(ForeignKey("authorization_code.id", ondelete="CASCADE"), index=True)
    scopes: Mapped[list[str]]
    audience: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    dpop_jkt: Mapped[str | None] = mapped_column(Text)
    cert_thumbprint: Mapped[str | None] = mapped_column(Text)


class RefreshToken(Base):
    """A refresh token, by its hash. Those of one code are a family: using one twice ends them all."""

    __tablename__ = "refresh_token"
    unaudited = "its first use is ordinary; a second one is recorded"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    code_id: Mapped[UUID] = mapped_column(ForeignKey("authorization_code.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    dpop_jkt: Mapped[str | None] = mapped_column(Text)
    cert_thumbprint: Mapped[str | None] = mapped_column(Text)


class RevokedToken(Base):
    """An access token by value that was revoked before its time, by its `jti`."""

    __tablename__ = "revoked_token"
    unaudited = "the revocation is recorded; this row only lives as long as the token would have"

    token_id: Mapped[str] = mapped_column(Text, primary_key=True)
    revoked_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class DeviceAuthorization(Identified, Base):
    """A request of a device without a browser, and the person's decision on another one (RFC 8628).

    Both codes are kept as hashes, the short one under a key of ours: it could be guessed from a plain hash.
    """

    __tablename__ = "device_authorization"
    unaudited = "it lives for minutes; what the person decided is recorded"

    device_code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    client_id: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]]
    authorization_details: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    acr_values: Mapped[list[str]] = mapped_column(default=list)
    max_age: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    interval: Mapped[int]
    asked_at: Mapped[datetime | None]
    decision: Mapped[str | None] = mapped_column(Text)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    sid: Mapped[str | None] = mapped_column(Text)
    authenticated_at: Mapped[datetime | None]
    acr: Mapped[str | None] = mapped_column(Text)
    amr: Mapped[list[str] | None]
    redeemed_at: Mapped[datetime | None]


class ApplicationConsent(Identified, Base):
    """The data that a person agreed to share with an application."""

    __tablename__ = "application_consent"
    __table_args__ = (UniqueConstraint("person_id", "client_id"),)

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"))
    scopes: Mapped[list[str]]
    authorization_details: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    given_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
