"""Reads of pictures."""

from __future__ import annotations

from sqlalchemy import select

from identity.clients.logos.models import Logo
from kernel.base.errors import NotFound
from kernel.database.db import session


def logo_content(sha256: str) -> bytes:
    """The PNG. Raises NotFound."""
    content = session().scalar(select(Logo.content).where(Logo.sha256 == sha256))
    if content is None:
        raise NotFound()
    return content
