"""Finding the keys that agencies sign with."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from interoperability.directory.models import AgencyKey
from interoperability.directory.rules import KeyNotAccepted, key_named_in, open_signed
from kernel.base.errors import NotYours
from kernel.database.db import session
from kernel.database.pagination import Page, page


def keys_of(agency: str) -> Sequence[AgencyKey]:
    """An agency's keys, the newest first, revoked ones included."""
    query = select(AgencyKey).where(AgencyKey.agency == agency).order_by(AgencyKey.registered_at.desc())
    return session().scalars(query).all()


def page_of_keys(agency: str, cursor: str | None, limit: int | None) -> Page[AgencyKey]:
    """List the agency's keys in pages."""
    query = select(AgencyKey).where(AgencyKey.agency == agency)
    return page(session(), query, [AgencyKey.id], cursor=cursor, limit=limit)


def key_of(agency: str, thumbprint: str) -> AgencyKey:
    """One of the agency's own keys. Raises NotYours."""
    query = select(AgencyKey).where(AgencyKey.thumbprint == thumbprint, AgencyKey.agency == agency)
    key = session().scalars(query).one_or_none()
    if key is None:
        raise NotYours(log=f"key {thumbprint[:64]} is not of {agency}")
    return key


def signed_by(agency: str, token: str) -> tuple[bytes, AgencyKey]:
    """Return the content that an agency signed, and the key. Raises SignatureInvalid, KeyNotAccepted."""
    kid = key_named_in(token)
    query = select(AgencyKey).where(AgencyKey.agency == agency, AgencyKey.thumbprint == kid)
    key = session().scalars(query).one_or_none()
    if key is None or key.revoked_at is not None:
        raise KeyNotAccepted(log=f"key {kid} of {agency} is {'revoked' if key else 'unknown'}")
    return open_signed(token, key.jwk), key
