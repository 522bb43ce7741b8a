"""Tables of the catalogue: a service, and its versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, Sequence, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship

from catalogue.openapi_documents.findings import Finding
from catalogue.openapi_documents.reader import Document
from catalogue.services.rules import ACCENTED, LIFECYCLE, PLAIN, ServiceFacts, Status
from kernel.database.db import Base, Identified

SERVICE_NUMBER = Sequence("service_number", metadata=Base.metadata)


def _words(column: str, weight: str) -> str:
    """A column's words as the stemmer knows them, and again without accents."""
    plain = f"translate(lower({column}), '{ACCENTED}', '{PLAIN}')"
    return (
        f"setweight(to_tsvector('spanish', {column}), '{weight}') || "
        f"setweight(to_tsvector('spanish', {plain}), '{weight}')"
    )


SEARCH = f"{_words('name', 'A')} || {_words('description', 'B')} || setweight(to_tsvector('simple', code), 'A')"


class Service(Identified, Base):
    """A service that one agency offers the others. Until a version is published only its owner and the authority see
    it.
    """

    __tablename__ = "service"
    __table_args__ = (
        Index("ix_service_search", "search", postgresql_using="gin"),
        Index("ix_service_published_at_id", "published_at", "id"),
        Index("ix_service_owner_created_at", "owner", "created_at"),
    )

    code: Mapped[str] = mapped_column(Text, unique=True)
    owner: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(Text)
    obligation: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    search: Mapped[Any] = mapped_column(TSVECTOR, Computed(SEARCH, persisted=True), deferred=True)
    rank: Mapped[int | None] = query_expression()
    """The rank of the words of a search; only a search fills it."""
    versions: Mapped[list[ServiceVersion]] = relationship(
        back_populates="service", order_by="ServiceVersion.created_at", lazy="selectin"
    )

    def describe(self, facts: ServiceFacts) -> None:
        self.name, self.description, self.contact = facts.name, facts.description, facts.contact
        self.kind, self.obligation = str(facts.kind), str(facts.obligation)

    def version(self, name: str) -> ServiceVersion | None:
        return next((one for one in self.versions if one.version == name), None)

    @property
    def published_versions(self) -> list[ServiceVersion]:
        return [one for one in self.versions if one.status == Status.PUBLISHED]

    @property
    def is_under_review(self) -> bool:
        return any(one.status == Status.SUBMITTED for one in self.versions)


class ServiceVersion(Identified, Base):
    """One version: where the provider answers, and the document that describes its interface."""

    LIFECYCLE = LIFECYCLE
    __tablename__ = "service_version"
    __table_args__ = (
        UniqueConstraint("service_id", "version"),
        Index("ix_service_version_waiting", "submitted_at", "id", postgresql_where="status = 'submitted'"),
    )

    service_id: Mapped[UUID] = mapped_column(ForeignKey("service.id"))
    version: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    base_url: Mapped[str] = mapped_column(Text)
    openapi: Mapped[str] = mapped_column(Text, deferred=True)
    openapi_type: Mapped[str] = mapped_column(Text)
    openapi_title: Mapped[str] = mapped_column(Text)
    openapi_standard: Mapped[str] = mapped_column(Text)
    """The standard by which it was written, such as `OpenAPI 3.0.3` or `Swagger 2.0`."""
    openapi_original: Mapped[str] = mapped_column(Text, deferred=True)
    """The document as it came, if a converted one is published."""
    openapi_original_type: Mapped[str] = mapped_column(Text)
    operations: Mapped[list[Any]]
    """The first of them, for pages."""
    operation_count: Mapped[int]
    openapi_warnings: Mapped[list[Any]]
    reasons: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    service: Mapped[Service] = relationship(back_populates="versions")

    @property
    def code(self) -> str:
        return f"{self.service.code}/{self.version}"

    @property
    def has_document(self) -> bool:
        return bool(self.openapi_type)

    @property
    def warnings(self) -> list[Finding]:
        return [Finding.from_json(one) for one in self.openapi_warnings]

    def attach(self, document: Document | None) -> None:
        """Keep an interface document; None makes a version without one."""
        self.openapi, self.openapi_type = (document.text, document.media_type) if document else ("", "")
        original = document.original if document else None
        self.openapi_original = original.text if original else ""
        self.openapi_original_type = original.media_type if original else ""
        self.openapi_title = document.title if document else ""
        self.openapi_standard = document.standard if document else ""
        self.operations = list(document.operations) if document else []
        self.operation_count = document.operation_count if document else 0
        self.openapi_warnings = [one.as_json() for one in document.warnings] if document else []
