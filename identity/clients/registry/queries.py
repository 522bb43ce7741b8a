"""Reads of clients, and the look at a change before it is made."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import ColumnElement, Exists, ScalarSelect, Select, Text, and_, exists, func, select, true, type_coerce

from identity.agencies.queries import find_agency, with_owning_agency
from identity.clients.client_keys.queries import check_jwks_uri, published_at, validated_jwks
from identity.clients.client_secrets.rules import StoredSecret
from identity.clients.profiles.rules import SECTOR_URI
from identity.clients.redirect_uris.rules import origins_of, same_authority, split_uri
from identity.clients.registry.models import Client
from identity.clients.registry.rules import (
    PERSON_PROFILES,
    ClientRevoked,
    RegisteredClient,
    Registration,
    check_sector_members,
    checked_registration,
    sector_kind,
)
from identity.officials.queries import officials_of
from identity.people.queries import mailboxes
from kernel.base import clock
from kernel.base.errors import Conflict, NotFound, NotYours
from kernel.base.parties import ANYBODY, Party, PartyKind
from kernel.base.slots import Slot
from kernel.database.change_feed import InvalidatedCache, invalidated_cache
from kernel.database.db import Column, session
from kernel.database.pagination import Page, page
from kernel.jobs.access import AgencyRef
from kernel.outside.messages import Recipient, officials_at
from kernel.recording.work import release_connection

if TYPE_CHECKING:
    from identity.agencies.models import Agency

BROWSERS = "browsers"
LEADING_OUTSIDE = {"redirect_uris", "options", "jwks_uri"}
"""The fields of a registration that somebody else's server has a say in."""


CLIENT_ID = Client.client_id
"""The column, for conditions on the clients that a query of this capability finds."""


def with_client(query: Select[Any], client_id: Column[str], *, is_active: bool = False) -> Select[Any]:
    """A query's rows, each with the client that a column of it names. is_active: only those not revoked."""
    joined = query.add_columns(Client).join(Client, Client.client_id == client_id)
    return joined.where(Client.revoked_at.is_(None)) if is_active else joined


def with_client_and_owner(query: Select[Any], client_id: Column[str]) -> Select[Any]:
    """The rows as `with_client` has them, each with the agency that owns the client, None for another owner."""
    return with_owning_agency(with_client(query, client_id), Client.owner)


def name_of(client_id: Column[str]) -> ScalarSelect[str]:
    """The name of a query's client; null for one that was revoked."""
    return select(Client.name).where(Client.client_id == client_id, Client.revoked_at.is_(None)).scalar_subquery()


def has_option(client_id: Column[str], name: str) -> Exists:
    """Whether a query's client is active and has an option."""
    return exists().where(Client.client_id == client_id, Client.revoked_at.is_(None), Client.options.has_key(name))


def shows_logo(logo: Column[str]) -> Exists:
    """Whether any client shows a query's picture."""
    return exists().where(Client.logo == logo)


def ids_of_owner(owner: Party) -> Select[str]:
    """The identifiers of an owner's clients, for a condition of another query."""
    return select(Client.client_id).where(Client.owner == owner)


def clients_with_owners(client_ids: Collection[str]) -> dict[str, tuple[Client, Agency | None]]:
    """Clients by their identifiers, each with the agency that owns it, None for another owner."""
    query = with_owning_agency(select(Client).where(Client.client_id.in_(client_ids)), Client.owner)
    return {client.client_id: (client, agency) for client, agency in session().execute(query)}


def active_client(client_id: str) -> Client | None:
    """The row of a client that was not revoked."""
    query = select(Client).where(Client.client_id == client_id.replace("\x00", ""), Client.revoked_at.is_(None))
    return session().scalar(query)


def keys_address_of(client_id: str) -> str | None:
    """The address at which an active client publishes its keys, None for one that does not."""
    return session().scalar(select(Client.jwks_uri).where(Client.client_id == client_id, Client.revoked_at.is_(None)))


def registered_client(client_id: str) -> RegisteredClient | None:
    """The client of this name as it is now, None if there is none, it was revoked, or its agency has ended."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", client_id):
        return None
    active = select(Client).where(Client.client_id == client_id, Client.revoked_at.is_(None))
    query = with_owning_agency(active, Client.owner)
    changes = CLIENTS().changes
    row = session().execute(query).one_or_none()
    if row is None:
        forget(client_id)
        return None
    client = _as_registered(row[0], row[1])
    CLIENTS().keep(client_id, client, changes)
    return client if client.is_active_on(clock.today()) else None


def known_client(client_id: str) -> RegisteredClient | None:
    """Return a client as this process remembers it (`kernel.database.change_feed`): for what is asked with every
    request.
    """
    return _remembered(client_id) or registered_client(client_id)


def _remembered(client_id: str) -> RegisteredClient | None:
    client = CLIENTS().get(client_id)
    return client if client is not None and client.is_active_on(clock.today()) else None


def client_with_secret(client_id: str, secret: str) -> RegisteredClient | None:
    """The client that this secret proves, None if it does not.

    A secret unknown to memory is looked up once more, because another process may have made it a moment ago.
    """
    now = clock.now()
    remembered = _remembered(client_id)
    if remembered is not None and remembered.knows_secret(secret, now):
        return remembered
    client = registered_client(client_id)
    return client if client is not None and client.knows_secret(secret, now) else None


def forget(client_id: str) -> None:
    """Read the client again when it is next asked for: this process has just changed it."""
    CLIENTS().forget(client_id)
    BROWSER_ORIGINS().forget(BROWSERS)


def browser_origins() -> frozenset[str]:
    """Return the origins of the pages of active clients without a secret, as this process remembers them."""
    changes, known = BROWSER_ORIGINS().changes, BROWSER_ORIGINS().get(BROWSERS)
    if known is None:
        query = select(Client.redirect_uris).where(Client.auth_method == "none", Client.revoked_at.is_(None))
        known = frozenset().union(*map(origins_of, session().scalars(query)))
        BROWSER_ORIGINS().keep(BROWSERS, known, changes)
    return known


# One value of all clients: a change of any of them ends it.
BROWSER_ORIGINS: Slot[InvalidatedCache[frozenset[str]]] = Slot(
    "browser_origins", lambda: invalidated_cache(current_app, BROWSERS, contains=("client",))
)
CLIENTS: Slot[InvalidatedCache[RegisteredClient]] = Slot(
    "clients", lambda: invalidated_cache(current_app, "client", contains=("agency",))
)


def _as_registered(client: Client, agency: Agency | None) -> RegisteredClient:
    return RegisteredClient(
        client_id=client.client_id,
        name=client.name,
        profile=client.profile,
        auth_method=client.auth_method,
        environment=client.environment,
        owner=client.owner,
        sector=client.sector,
        redirect_uris=tuple(client.redirect_uris),
        post_logout_redirect_uris=tuple(client.post_logout_redirect_uris),
        scopes=frozenset(client.scopes),
        service_binding=client.service_binding,
        secrets=tuple(StoredSecret.from_row(secret) for secret in client.secrets),
        agency_code=agency.code if agency else None,
        agency_name=agency.name if agency else None,
        agency_is_authority=agency.is_authority if agency else False,
        agency_period=agency.period if agency else None,
        jwks=client.jwks,
        jwks_uri=client.jwks_uri,
        options=client.options,
        logo=client.logo,
    )


def registration_of(client: Client) -> Registration:
    """Return the registration of an application, as it is stored."""
    values = {one.name: getattr(client, one.name) for one in fields(Registration)}
    return Registration(**{**values, "sector": sector_kind(client.sector), "logo": client.logo or ""})


@dataclass(frozen=True)
class Proposal:
    """A change of what is registered of a client: made over what, and what becomes of it, found sound."""

    client_id: str
    owner: Party
    environment: str
    before: Registration
    changed: Mapping[str, Any]
    after: Registration


def propose(client: Client, **changed: Any) -> Proposal:
    """Prepare a change of these fields of `Registration`: look at all that a transaction could not wait for.

    Raises NotFound for a system, ClientRevoked, Invalid.
    """
    if client.profile not in PERSON_PROFILES:
        raise NotFound()
    if client.revoked_at is not None:
        raise ClientRevoked()
    before = registration_of(client)
    after = sound_registration(_over(before, changed), client.environment)
    proposal = Proposal(client.client_id, client.owner, client.environment, before, changed, after)
    if changed.keys() & LEADING_OUTSIDE:
        verify_remote_metadata(after)
    return proposal


def settled(proposal: Proposal, client: Client) -> Registration:
    """The registration that a proposal comes to over what its client is by now.

    Raises Invalid, and Conflict where an address changed meanwhile that was looked at together with this change.
    """
    now = registration_of(client)
    if (now, client.environment) == (proposal.before, proposal.environment):
        return proposal.after
    after = sound_registration(_over(now, proposal.changed), client.environment)
    was_looked_at = all(getattr(after, name) == getattr(proposal.after, name) for name in LEADING_OUTSIDE)
    if proposal.changed.keys() & LEADING_OUTSIDE and not was_looked_at:
        raise Conflict()
    return after


def _over(before: Registration, changed: Mapping[str, Any]) -> Registration:
    after = replace(before, **changed)
    logo = before.logo if after.logo is None else after.logo
    return replace(after, sector=after.sector or before.sector, logo=logo)


def sound_registration(registration: Registration, environment: str) -> Registration:
    """Return the registration as it is stored, its keys read. Raises Invalid."""
    sound = checked_registration(registration, environment)
    return replace(sound, jwks=validated_jwks(sound.jwks) if sound.jwks is not None else None)


def verify_remote_metadata(sound: Registration) -> None:
    """Ask the addresses that a registration names for what they have to answer.

    Call it before the transaction that keeps the registration: nobody's rows wait there for a stranger's server.
    Raises Invalid.
    """
    if sound.jwks_uri is not None:
        check_jwks_uri(sound.jwks_uri)
    if SECTOR_URI in sound.options:
        release_connection()
        check_sector_members(published_at(sound.options[SECTOR_URI]), sound.redirect_uris)


def owner_of(client: Client) -> AgencyRef | None:
    """The agency whose client it is, None for one of a developer, of the operator or of nobody."""
    code = client.owner.agency_code
    return find_agency(code) if code else None


def is_logout_place(uri: str, *, of_anybody: bool) -> bool:
    """Whether the address has the authority of a logout address that some living client registered.

    of_anybody: whether clients that nobody whom we know answers for count too (`RegisteredClient.is_unverified`).
    """
    parts = split_uri(uri)
    if parts is None:
        return False
    # Narrowed by what the address begins with; the comparison that counts is of the parts.
    place = func.jsonb_array_elements_text(Client.post_logout_redirect_uris).table_valued("value").alias("place")
    query = (
        select(place.c.value)
        .select_from(Client)
        .join(place, true())
        .where(
            Client.revoked_at.is_(None),
            func.lower(place.c.value).startswith(f"{parts.scheme}://{parts.hostname}", autoescape=True),
            true() if of_anybody else _is_answered_for(),
        )
    )
    return same_authority(uri, session().scalars(query))


def _is_answered_for() -> ColumnElement[bool]:
    """Whether somebody whom we know answers for a client: the opposite of `RegisteredClient.is_unverified`."""
    is_developers = type_coerce(Client.owner, Text).startswith(f"{PartyKind.DEVELOPER}:")
    return and_(Client.owner != ANYBODY, ~is_developers)


def all_clients(limit: int = 500) -> Sequence[Client]:
    """The newest clients of everyone, for the operator."""
    return session().scalars(select(Client).order_by(Client.created_at.desc()).limit(limit)).all()


def applications_of_everyone(cursor: str | None = None) -> Page[Client]:
    """All applications that people sign in to, of agencies and of developers, the newest first."""
    query = select(Client).where(Client.profile.in_(PERSON_PROFILES))
    return page(session(), query, [Client.created_at, Client.id], cursor=cursor)


def names_of(client_ids: Collection[str]) -> dict[str, str]:
    """The names of applications and systems by their client_id."""
    query = select(Client.client_id, Client.name).where(Client.client_id.in_(client_ids))
    return {row.client_id: row.name for row in session().execute(query)}


def applications_of(owner: Party) -> Sequence[Client]:
    """An owner's applications for people, the newest first, revoked ones last."""
    return _of(owner, PERSON_PROFILES)


def applications_page(owner: Party, *, cursor: str | None, limit: int | None) -> Page[Client]:
    """List an owner's applications page by page, revoked ones among them."""
    query = select(Client).where(Client.owner == owner, Client.profile.in_(PERSON_PROFILES))
    return page(session(), query, [Client.created_at, Client.id], cursor=cursor, limit=limit)


def systems_of(owner: Party) -> Sequence[Client]:
    """An agency's systems, the newest first, revoked ones last."""
    return _of(owner, ("machine",))


def _of(owner: Party, profiles: Sequence[str]) -> Sequence[Client]:
    query = (
        select(Client)
        .where(Client.owner == owner, Client.profile.in_(profiles))
        .order_by(Client.revoked_at.is_not(None), Client.created_at.desc())
        .limit(200)
    )
    return session().scalars(query).all()


def any_client(client_id: str) -> Client:
    """The client of this name, whosoever's it is. Raises NotFound."""
    client = session().scalar(select(Client).where(Client.client_id == client_id.replace("\x00", "")))
    if client is None:
        raise NotFound()
    return client


def client_of(owner: Party, client_id: str) -> Client:
    """The owner's client. Raises NotFound, and NotYours (told alike) for another's."""
    return owned(any_client(client_id), owner)


def owned(client: Client, owner: Party) -> Client:
    """The client, if it is the owner's. Raises NotYours."""
    if client.owner != owner:
        raise NotYours(log=f"{owner} asked for client {client.client_id} of {client.owner}")
    return client


def application_of(owner: Party, client_id: str) -> Client:
    """The owner's application, which is no system. Raises as `client_of`."""
    client = client_of(owner, client_id)
    if client.profile == "machine":
        raise NotFound()
    return client


def client_of_agency(agency_code: str, client_id: str) -> Client:
    """The agency's client. Raises NotFound, and NotYours (told alike) for another agency's."""
    return client_of(Party.agency(agency_code), client_id)


def agency_owning(client: Client) -> str:
    """The code of the agency whose client this is; empty for a developer's."""
    return client.owner.agency_code or ""


def owners_of(client: Client) -> list[Recipient]:
    """The owner's administrators, and whom the application names as its contacts."""
    agency = agency_owning(client)
    officials = officials_at(agency, officials_of(agency, "administrator")) if agency else []
    return [*officials, *mailboxes(client.contacts)]
