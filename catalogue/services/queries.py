"""Reads of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, cast, func, or_, select
from sqlalchemy.orm import with_expression

from catalogue.services.models import Service, ServiceVersion
from catalogue.services.rules import (
    CODE,
    VERSION,
    Status,
    VersionFacts,
    checked_base_url,
    checked_version,
    spellings,
)
from kernel.base.errors import Invalid, NotFound, NotYours
from kernel.base.installation import settings
from kernel.database.db import Column, session
from kernel.database.pagination import Page, page
from kernel.jobs.access import Principal
from kernel.outside.outbound import AddressRefused, check_url
from kernel.recording.pending import pending_columns
from kernel.recording.work import release_connection

if TYPE_CHECKING:
    from catalogue.openapi_documents.reader import Document


def with_address(query: Select[Any], version_id: Column[UUID]) -> Select[Any]:
    """A query's rows, each with the provider's address of the version that a column of it names."""
    return query.add_columns(ServiceVersion.base_url).join(ServiceVersion, ServiceVersion.id == version_id)


def search(
    words: str = "", *, kind: str = "", owner: str = "", cursor: str | None = None, limit: int | None = None
) -> Page[Service]:
    """Published services: the newest first, or those that fit the words best. Raises Invalid for a wrong cursor."""
    query = select(Service).where(Service.published_at.is_not(None))
    if kind:
        query = query.where(Service.kind == _storable(kind))
    if owner:
        query = query.where(Service.owner == _storable(owner))
    ways = spellings(words)
    if not ways:
        keys: list[Any] = [Service.published_at, Service.id]
        return page(session(), query, keys, cursor=cursor, limit=limit)
    return _by_rank(query, ways, cursor, limit)


def _by_rank(query: Select[Service], ways: list[str], cursor: str | None, limit: int | None) -> Page[Service]:
    queries: list[ColumnElement[Any]] = [func.websearch_to_tsquery("spanish", way) for way in ways]
    queries.append(func.websearch_to_tsquery("simple", ways[0]))
    either = reduce(lambda one, other: one.op("||")(other), queries)
    rank = cast(func.ts_rank(Service.search, either) * 1_000_000, Integer)
    query = query.where(Service.search.op("@@")(either)).options(with_expression(Service.rank, rank))
    keys: list[Any] = [rank.label("rank"), Service.id]
    return page(session(), query, keys, cursor=cursor, limit=limit)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode(errors="replace").decode()


def owners() -> Sequence[str]:
    """Codes of the agencies that have published something."""
    query = select(Service.owner).where(Service.published_at.is_not(None)).distinct().order_by(Service.owner)
    return session().scalars(query).all()


def owner_of(code: str) -> str | None:
    """The code of the agency whose service it is."""
    return session().scalar(select(Service.owner).where(Service.code == _storable(code)))


def find(code: str, reader: Principal) -> Service:
    """A service that the reader may see: published, their own agency's, or any for the authority.

    Raises NotFound, NotYours.
    """
    service = _existing(code)
    if service.published_at is None and not _is_insider(service, reader):
        raise NotYours(log=f"{service.code} is not published")
    return service


def visible_versions(service: Service, reader: Principal) -> list[ServiceVersion]:
    """Everyone sees what is published; drafts are for their owner, what was submitted for the authority as well."""
    if reader.agency is not None and reader.agency.code == service.owner:
        return list(service.versions)
    seen = {Status.PUBLISHED, Status.SUBMITTED} if reader.is_authority else {Status.PUBLISHED}
    return [version for version in service.versions if version.status in seen]


def own(code: str, reader: Principal) -> Service:
    """A service of the reader's own agency. Raises NotFound, NotYours."""
    service = _existing(code)
    if service.owner != reader.acting_agency.code:
        raise NotYours(log=f"{service.code} belongs to {service.owner}")
    return service


def own_version(code: str, version: str, reader: Principal) -> ServiceVersion:
    """A version of a service of the reader's own agency. Raises NotFound, NotYours."""
    return _version(own(code, reader), version)


def version_to_review(code: str, version: str) -> ServiceVersion:
    """A version that has been submitted at least once, for the authority. Raises NotFound."""
    row = _version(_existing(code), version)
    if row.submitted_at is None:
        raise NotFound(log=f"{row.code} was never submitted")
    return row


def published_version(code: str, version: str) -> ServiceVersion:
    """A version that others may ask for. Raises NotFound."""
    row = _version(_existing(code), version)
    if row.status != Status.PUBLISHED:
        raise NotFound(log=f"{row.code} is not published")
    return row


def openapi_document(code: str, version: str, reader: Principal, *, as_it_came: bool = False) -> tuple[str, str]:
    """Media type and text of a version's document, if the reader may see the version. Raises NotFound.

    as_it_came: the one that was converted, where there is such a one.
    """
    service = find(code, reader)
    wanted = _version(service, version)
    if wanted not in visible_versions(service, reader) or not wanted.has_document:
        raise NotFound(log=f"no document of {wanted.code} for this reader")
    column = ServiceVersion.openapi_original if as_it_came else ServiceVersion.openapi
    media_type = wanted.openapi_original_type if as_it_came else wanted.openapi_type
    if not media_type:
        raise NotFound(log=f"{wanted.code} was not converted")
    return media_type, session().scalars(select(column).where(ServiceVersion.id == wanted.id)).one()


def prepare_version(version: str, base_url: str, document: Document | None) -> VersionFacts:
    """Check a version's facts and look its address up: before the action, where rows would wait for the DNS.

    Raises Invalid.
    """
    facts = VersionFacts(checked_version(version), checked_base_url(base_url, settings().outbound_allowed), document)
    if facts.base_url:
        release_connection()
        try:
            check_url(facts.base_url)
        except AddressRefused as refused:
            raise Invalid(fields={"base_url": [refused.title]}, log=refused.log) from refused
    return facts


def of_agency(owner: str, *, cursor: str | None = None, limit: int | None = None) -> Page[Service]:
    """An agency's own services in every state, the newest first."""
    query = select(Service).where(Service.owner == owner)
    return page(session(), query, [Service.created_at, Service.id], cursor=cursor, limit=limit)


def count_waiting() -> int:
    """Count the versions that wait for the authority."""
    query = select(func.count()).select_from(ServiceVersion).where(ServiceVersion.status == Status.SUBMITTED)
    return session().scalar(query) or 0


def submitted_versions(_authority: str) -> Select[Any]:
    """Versions that wait for the authority, for the list of pending decisions."""
    href = "/authority/services/" + Service.code + "/" + ServiceVersion.version
    return _pending(ServiceVersion.submitted_at, href).where(ServiceVersion.status == Status.SUBMITTED)


def returned_versions(owner: str) -> Select[Any]:
    """An agency's versions that the authority gave back, for the agency to correct."""
    mine = (Service.owner == owner, ServiceVersion.status == Status.RETURNED)
    return _pending(ServiceVersion.decided_at, "/agency/services/" + Service.code).where(*mine)


def _pending(since: Any, href: Any) -> Select[Any]:
    title = Service.name + " " + ServiceVersion.version
    return select(*pending_columns(ServiceVersion.id, title, since, href)).join(Service).where(since.is_not(None))


def to_review(*, cursor: str | None = None) -> Page[ServiceVersion]:
    """The authority's queue, the longest waiting first. Raises Invalid for a wrong cursor."""
    query = select(ServiceVersion).where(ServiceVersion.status == Status.SUBMITTED)
    keys: list[Any] = [ServiceVersion.submitted_at, ServiceVersion.id]
    return page(session(), query, keys, cursor=cursor, descending=False)


def decisions(limit: int = 10) -> Sequence[ServiceVersion]:
    """List the authority's last decisions."""
    query = select(ServiceVersion).where(
        or_(ServiceVersion.status == Status.PUBLISHED, ServiceVersion.status == Status.RETURNED)
    )
    return session().scalars(query.order_by(ServiceVersion.decided_at.desc()).limit(limit)).all()


def _existing(code: str) -> Service:
    service = session().scalars(select(Service).where(Service.code == code)).first() if CODE.fullmatch(code) else None
    if service is None:
        raise NotFound(log="no such service")
    return service


def _version(service: Service, version: str) -> ServiceVersion:
    row = service.version(version) if VERSION.fullmatch(version) else None
    if row is None:
        raise NotFound(log=f"{service.code} has no such version")
    return row


def _is_insider(service: Service, reader: Principal) -> bool:
    """The owner, and the authority once something was submitted."""
    if reader.agency is not None and reader.agency.code == service.owner:
        return True
    return reader.is_authority and any(version.submitted_at for version in service.versions)
