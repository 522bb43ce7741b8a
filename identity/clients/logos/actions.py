"""Giving an application a picture, and forgetting those that none has any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_

from identity.clients.client_reviews.actions import ChangeResult, change_fields, make_or_ask
from identity.clients.client_reviews.queries import asks_for_logo
from identity.clients.logos.models import Logo
from identity.clients.logos.rules import clean_png, name_of
from identity.clients.registry.queries import Proposal, propose, shows_logo
from kernel.database.pruning import remove_batch, until_empty
from kernel.jobs.jobs import periodic
from kernel.recording.work import Work, action

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

KEPT_UNUSED = timedelta(days=90)


def change_logo(client: Client, content: bytes) -> ChangeResult:
    """Show the picture with an application: at once, or when the authority has approved it.

    content: a PNG. Raises Invalid, and as `change_application`.
    """
    cleaned = clean_png(content)
    return _change_logo(cleaned, propose(client, logo=name_of(cleaned)))


@action
def _change_logo(work: Work, cleaned: bytes, proposal: Proposal) -> ChangeResult:
    sha256 = name_of(cleaned)
    if work.session.get(Logo, sha256) is None:
        logo = Logo(sha256=sha256, content=cleaned, stored_at=work.now)
        work.add(logo)
        work.record("identity:logo:stored", logo, client=proposal.client_id, size=len(cleaned))
        work.session.flush()
    return make_or_ask(proposal)


def remove_logo(client: Client) -> ChangeResult:
    """Show none. Raises as `change_application`."""
    return change_fields(client, logo="")


@periodic("identity:logo:sweep", "29 5 * * *")
def sweep_logos() -> None:
    """Each night, forget pictures that no application has shown for long."""
    until_empty(sweep_unused_logos)


@action
def sweep_unused_logos(work: Work) -> int:
    """One batch; how many were forgotten. What waits for approval stays."""
    unused = and_(
        Logo.stored_at < work.now - KEPT_UNUSED,
        ~shows_logo(Logo.sha256),
        ~asks_for_logo(Logo.sha256),
    )
    gone = remove_batch(work.session, Logo, unused)
    if gone:
        work.record("identity:logo:swept", "logo", logos=gone)
    return gone
