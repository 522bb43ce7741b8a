"""Sign-in and sign-out of developers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from kernel.base.ids import new_id, new_token, token_hash
from kernel.database.pruning import remove_batch, until_empty
from kernel.http.i18n import chosen_language
from kernel.jobs.access import Principal
from kernel.jobs.jobs import periodic
from kernel.outside.messages import Recipient
from kernel.outside.notices import notify
from kernel.recording.work import Work, action, continue_as
from sandbox.accounts import queries
from sandbox.accounts.models import Developer, DeveloperLink, DeveloperSession
from sandbox.accounts.rules import (
    DEVELOPER,
    LINK_LIFETIME,
    SESSION_LIFETIME,
    SIGN_IN_LINK,
    SIGN_IN_WORDS,
    LinkNotUsable,
    check_address,
    may_send_another,
    normalise_email,
)


@dataclass(frozen=True)
class NewSession:
    """A sign-in that succeeded: what the browser keeps, and where the developer wanted to go."""

    token: str
    developer: Developer
    next_path: str


@action
def request_link(work: Work, email: str, address: str, next_path: str) -> None:
    """Mail a link that signs in whoever reads it, whether or not the e-mail is known.

    An e-mail that had its share of the hour gets none, and the caller learns nothing of it. Raises Invalid, TooMany.
    """
    wanted = normalise_email(email)
    check_address(queries.links_asked_from(address))
    token, is_sent = new_token(), may_send_another(queries.links_sent_to(wanted))
    if not is_sent:
        return
    work.add(
        DeveloperLink(
            token_hash=token_hash(token),
            email=wanted,
            address=address,
            next_path=next_path,
            created_at=work.now,
            expires_at=work.now + LINK_LIFETIME,
        )
    )
    # Whoever asks is the one who reads.
    reader = Recipient(wanted, chosen_language())
    notify(work, [reader], SIGN_IN_LINK, f"/sandbox/sign-in/confirm?token={token}", **SIGN_IN_WORDS)


@action
def confirm_link(work: Work, token: str) -> NewSession:
    """Use a link up and open a session; the first time, the developer's account with it. Raises LinkNotUsable."""
    # One statement decides who used it, so that two clicks at the same time open one session.
    used = work.session.execute(
        update(DeveloperLink)
        .where(
            DeveloperLink.token_hash == token_hash(token),
            DeveloperLink.used_at.is_(None),
            DeveloperLink.expires_at > work.now,
        )
        .values(used_at=work.now)
        .returning(DeveloperLink.email, DeveloperLink.next_path)
    ).one_or_none()
    if used is None:
        raise LinkNotUsable()
    email, next_path = used
    created = work.session.execute(
        insert(Developer)
        .values(id=new_id(), email=email, created_at=work.now)
        .on_conflict_do_nothing()
        .returning(Developer.id)
    ).one_or_none()
    developer = work.session.scalars(select(Developer).where(Developer.email == email)).one()
    continue_as(principal_of(developer))
    if created is not None:
        work.record("sandbox:developer:signed-up", developer)
    browser = new_token()
    work.add(
        DeveloperSession(
            token_hash=token_hash(browser),
            developer_id=developer.id,
            created_at=work.now,
            expires_at=work.now + SESSION_LIFETIME,
        )
    )
    work.record("sandbox:developer:signed-in", developer)
    return NewSession(browser, developer, next_path)


@action
def end_session(work: Work, token: str) -> None:
    """Sign a developer's browser out; nothing happens for a token that is no session's."""
    ended = work.session.execute(
        delete(DeveloperSession)
        .where(DeveloperSession.token_hash == token_hash(token))
        .returning(DeveloperSession.developer_id)
    ).scalar_one_or_none()
    if ended is not None:
        work.record("sandbox:developer:signed-out", f"developer:{ended}")


def principal_of(developer: Developer) -> Principal:
    """The developer as the caller of a request."""
    return Principal(kind=DEVELOPER, id=str(developer.id), name=developer.email)


@periodic("sandbox:accounts:sweep", "17 7 * * *")
def sweep() -> None:
    """Forget links and sessions that have run out, in batches that keep nobody waiting."""
    until_empty(sweep_batch)


@action
def sweep_batch(work: Work) -> int:
    """One batch of each; the most rows that went from one of them."""
    links = DeveloperLink.expires_at < work.now - LINK_LIFETIME - SESSION_LIFETIME
    sessions = DeveloperSession.expires_at < work.now
    return max(remove_batch(work.session, DeveloperLink, links), remove_batch(work.session, DeveloperSession, sessions))
