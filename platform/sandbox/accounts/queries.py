"""Reads of developers and their ways in."""

from __future__ import annotations

from sqlalchemy import func, select

from kernel.base import clock
from kernel.base.ids import token_hash
from kernel.database.db import session
from sandbox.accounts.models import Developer, DeveloperLink, DeveloperSession
from sandbox.accounts.rules import WINDOW, LinkNotUsable


def developer_of_session(token: str) -> Developer | None:
    """The developer whose browser holds this token, while the session lives."""
    developer = session().scalar(
        select(DeveloperSession).where(
            DeveloperSession.token_hash == token_hash(token), DeveloperSession.expires_at > clock.now()
        )
    )
    return developer.developer if developer else None


def email_of_link(token: str) -> str:
    """Return the address of the developer whom a link lets in. Raises LinkNotUsable."""
    email = session().scalar(
        select(DeveloperLink.email).where(
            DeveloperLink.token_hash == token_hash(token),
            DeveloperLink.used_at.is_(None),
            DeveloperLink.expires_at > clock.now(),
        )
    )
    if email is None:
        raise LinkNotUsable()
    return email


def links_sent_to(email: str) -> int:
    """The number of links that this e-mail got in the last hour."""
    return _count(DeveloperLink.email == email)


def links_asked_from(address: str) -> int:
    """The number of links asked for from this network address in the last hour."""
    return _count(DeveloperLink.address == address)


def _count(condition: object) -> int:
    recent = DeveloperLink.created_at > clock.now() - WINDOW
    return session().scalar(select(func.count()).select_from(DeveloperLink).where(condition, recent)) or 0  # type: ignore[arg-type]
