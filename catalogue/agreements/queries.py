"""Reads of agreements."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select

from catalogue.agreements.models import Agreement
from catalogue.agreements.rules import CODE, Side, Status
from catalogue.services.queries import with_address
from kernel.base.errors import NotFound, NotYours
from kernel.database.db import session
from kernel.database.pagination import Page, page
from kernel.jobs.access import Principal
from kernel.recording.pending import pending_columns


def find(code: str, reader: Principal) -> Agreement:
    """An agreement of the reader's agency, on either side. Raises NotFound, NotYours."""
    agreement = agreement_of(code)
    if agreement.side_of(reader.acting_agency.code) is None:
        raise NotYours(log=f"{code} is between {agreement.consumer} and {agreement.owner}")
    return agreement


def agreement_of(code: str) -> Agreement:
    """The agreement of this code, whosesoever it is. Raises NotFound."""
    query = select(Agreement).where(Agreement.code == code)
    agreement = session().scalars(query).first() if CODE.fullmatch(code) else None
    if agreement is None:
        raise NotFound(log="no such agreement")
    return agreement


def code_of(agreement_id: UUID) -> str:
    """The code of the agreement in this row."""
    return session().scalars(select(Agreement.code).where(Agreement.id == agreement_id)).one()


def of_agency(
    agency: str, side: Side | None = None, *, cursor: str | None = None, limit: int | None = None
) -> Page[Agreement]:
    """An agency's agreements as consumer, as owner or both, the newest first. Raises Invalid for a wrong cursor."""
    query: Select[Agreement] = select(Agreement)
    if side is None:
        query = query.where(or_(Agreement.consumer == agency, Agreement.owner == agency))
    else:
        query = query.where((Agreement.consumer if side == Side.CONSUMER else Agreement.owner) == agency)
    keys: list[Any] = [Agreement.requested_at, Agreement.id]
    return page(session(), query, keys, cursor=cursor, limit=limit)


def count_to_answer(agency: str) -> int:
    """The number of requests that wait for the agency's answer."""
    return session().scalar(select(func.count()).select_from(requests_to(agency).subquery())) or 0


def requests_to(agency: str) -> Select[Any]:
    """Requests that wait for an agency's answer, for the list of pending decisions."""
    columns = pending_columns(
        Agreement.id,
        Agreement.consumer + " · " + Agreement.service_name + " " + Agreement.version,
        Agreement.requested_at,
        "/agency/agreements/" + Agreement.code,
        Agreement.answer_by,
    )
    return select(*columns).where(Agreement.owner == agency, Agreement.status == Status.REQUESTED)


def provider_of(code: str) -> tuple[Agreement, str] | None:
    """An agreement and its provider's address, for the gateway; None where there is no such agreement."""
    if not CODE.fullmatch(code):
        return None
    query = with_address(select(Agreement), Agreement.service_version_id)
    row = session().execute(query.where(Agreement.code == code)).first()
    return (row[0], row[1]) if row else None
