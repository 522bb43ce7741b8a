"""Each morning, owners are told of secrets and keys that end soon, and of keys that cannot be fetched any more."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from identity.clients.client_keys.queries import end_of, published_keys
from identity.clients.expiry.queries import ends_of
from identity.clients.expiry.rules import CREDENTIALS_END, KEYS_UNREACHABLE, warning_due
from identity.clients.registry.actions import lock_active_batch, lock_publishing
from identity.clients.registry.queries import keys_address_of, owners_of
from kernel.base.clock import local
from kernel.base.errors import Problem
from kernel.jobs.jobs import job, periodic
from kernel.outside.notices import notify
from kernel.recording.work import Work, action, release_connection

if TYPE_CHECKING:
    from identity.clients.registry.models import Client

BATCH = 200


@periodic("identity:client:look-at-keys", "3 10 * * *")
def look_at_published_keys() -> None:
    """Fetch the keys of every client that publishes them, each in a job of its own."""
    after: str | None = ""
    while after is not None:
        after = look_at_batch(after)


@action
def look_at_batch(work: Work, after: str) -> str | None:
    """Defer the jobs of one batch of clients; the last of them, None at the end."""
    clients = lock_active_batch(work, after, BATCH, publishing=True)
    for client in clients:
        work.defer(look_at_keys, client_id=client.client_id)
    return clients[-1].client_id if clients else None


@job("identity:client:look-at-keys-of")
def look_at_keys(client_id: str) -> None:
    """Note when the keys at a client's address end, or that they cannot be had."""
    uri = keys_address_of(client_id)
    if uri is None:
        return
    release_connection()
    try:
        keys, cause = published_keys(uri), "there is no key of use"
    except Problem as problem:
        keys, cause = [], str(problem.log or problem.kind)
    if keys:
        note_keys(client_id, uri, min((end for key in keys if (end := end_of(key))), default=None))
    else:
        note_failing_keys(client_id, uri, cause)


@action
def note_keys(work: Work, client_id: str, uri: str, ends_at: datetime | None) -> None:
    """The keys were fetched; the first of them ends then."""
    client = lock_publishing(work, client_id, uri)
    if client is None or (client.keys_end_at, client.keys_failing_since) == (ends_at, None):
        return
    client.keys_end_at, client.keys_failing_since = ends_at, None
    work.record("identity:client:keys-seen", client, ends_at=ends_at.isoformat() if ends_at else None)


@action
def note_failing_keys(work: Work, client_id: str, uri: str, cause: str) -> None:
    """They could not be fetched: the owners are told, once until they can be again."""
    client = lock_publishing(work, client_id, uri)
    if client is None or client.keys_failing_since is not None:
        return
    client.keys_failing_since = work.now
    recipients = notify(
        work, owners_of(client), KEYS_UNREACHABLE, name=client.name, client_id=client.client_id, uri=uri
    )
    work.record("identity:client:keys-unreachable", client, uri=uri, cause=cause, told=recipients)


@periodic("identity:client:warn", "23 11 * * *")
def warn_of_ends() -> None:
    """Tell the owners of secrets and keys that end soon."""
    after: str | None = ""
    while after is not None:
        after = warn_batch(after)


@action
def warn_batch(work: Work, after: str) -> str | None:
    """Tell the owners of one batch of clients; the last client looked at, None at the end."""
    clients = lock_active_batch(work, after, BATCH)
    for client in clients:
        if due := warning_due(ends_of(client), client.warned_of, work.now):
            _warn(work, client, *due)
    return clients[-1].client_id if clients else None


def _warn(work: Work, client: Client, end: datetime, mark: datetime) -> None:
    client.warned_of = mark
    recipients = notify(
        work,
        owners_of(client),
        CREDENTIALS_END,
        name=client.name,
        client_id=client.client_id,
        day=local(end).date(),
    )
    work.record("identity:client:owner-warned", client, ends_at=end.isoformat(), told=recipients)
