"""What changes a client. Secrets are told once, to whoever asked for them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from identity.agencies.queries import officials_of
from identity.client_keys.queries import end_of, sound_jwks, sound_jwks_uri
from identity.clients.models import Client, UsedProof
from identity.clients.queries import client_of, forget, registration_of
from identity.clients.rules import (
    OPERATOR,
    ClientRevoked,
    Registration,
    StoredSecret,
    after_rotation,
    check_credentials,
    check_widening,
    checked_environment,
    checked_machine_scopes,
    checked_method,
    checked_name,
    checked_options,
    checked_registration,
    end_of_new_secret,
    owned_by_agency,
    sector_of,
    warning_due,
)
from identity.profiles.rules import SECRET_METHODS
from kernel.access import current_principal
from kernel.clock import local
from kernel.errors import Conflict, Invalid, NotFound, _
from kernel.ids import new_token
from kernel.jobs import periodic
from kernel.mail import deliver
from kernel.work import Work, action

BATCH = 1_000
TRUSTED = ("operator", "system")
"""Who needs nobody's approval: those who run the installation, and its own jobs and seeds."""


@dataclass(frozen=True)
class NewClient:
    """A client just made, and its secret, which is told this once; None for a client that has none."""

    client: Client
    secret: str | None


def create_client(
    name: str,
    profile: str,
    redirect_uris: Iterable[str],
    *,
    environment: str = "sandbox",
    owner: str = OPERATOR,
    **others: Any,
) -> NewClient:
    """Register an application that people sign in to; `others` are the further fields of `Registration`.

    owner: `agency:<code>`, `developer:<id>` or `operator`. Raises Invalid, its message beside the field that is wrong.
    """
    return register_client(Registration(name, profile, list(redirect_uris), **others), environment, owner)


@action
def register_client(
    work: Work,
    asked: Registration,
    environment: str,
    owner: str,
    *,
    registration_token_hash: bytes | None = None,
    approved_by: str | None = None,
) -> NewClient:
    """The same, of a registration put together. approved_by: who let it outside the sandbox. Raises Invalid."""
    environment = checked_environment(environment)
    who = current_principal()
    # Agencies and developers begin in the sandbox, and the authority lets them go on.
    if environment != "sandbox" and approved_by is None and who.kind not in TRUSTED:
        raise Invalid(fields={"environment": [_("Begin in the sandbox, and ask the authority from there.")]})
    client_id = secrets.token_hex(16)
    client = Client(client_id=client_id, environment=environment, owner=owner, binding={})
    _fill(client, _sound(asked, environment))
    client.sector = sector_of(owner, client.redirect_uris, client_id)
    client.registration_token_hash = registration_token_hash
    if environment != "sandbox":
        client.approved_by, client.approved_at = approved_by or who.name, work.now
    return _register(work, client, has_secret=client.auth_method in SECRET_METHODS)


def _sound(asked: Registration, environment: str) -> Registration:
    sound = checked_registration(asked, environment)
    return replace(
        sound,
        jwks=sound_jwks(sound.jwks) if sound.jwks is not None else None,
        jwks_uri=sound_jwks_uri(sound.jwks_uri) if sound.jwks_uri is not None else None,
    )


def _fill(client: Client, sound: Registration) -> None:
    for name, value in vars(sound).items():
        setattr(client, name, value)


@action
def create_machine_client(
    work: Work,
    name: str,
    agency_code: str,
    scopes: Iterable[str],
    binding: Mapping[str, str] | None = None,
    *,
    environment: str = "production",
    auth_method: str | None = None,
    jwks: object = None,
    jwks_uri: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> NewClient:
    """Register an agency's system, which gets tokens for itself (RFC 6749 4.4). Raises Invalid.

    binding: the `agreement`, `service` and `version` that its tokens are good for; nothing for our own interfaces.
    """
    owner, method = owned_by_agency(agency_code), checked_method("machine", auth_method)
    chosen = checked_options("machine", checked_environment(environment), options or {})
    check_credentials(method, jwks, jwks_uri, chosen)
    client = Client(
        client_id=secrets.token_hex(16),
        name=checked_name(name),
        profile="machine",
        auth_method=method,
        environment=environment,
        owner=owner,
        sector=owner,
        redirect_uris=[],
        post_logout_redirect_uris=[],
        scopes=checked_machine_scopes(scopes),
        binding=dict(binding or {}),
        jwks=sound_jwks(jwks) if jwks is not None else None,
        jwks_uri=sound_jwks_uri(jwks_uri) if jwks_uri is not None else None,
        options=chosen,
    )
    return _register(work, client, has_secret=method in SECRET_METHODS)


def _register(work: Work, client: Client, *, has_secret: bool) -> NewClient:
    client.created_at = work.now
    client.secrets = []
    secret = _new_secret(work, client) if has_secret else None
    work.add(client)
    work.session.flush()
    work.record(
        "identity:client:created",
        client,
        name=client.name,
        profile=client.profile,
        environment=client.environment,
        owner=client.owner,
        scopes=client.scopes,
        redirect_uris=client.redirect_uris,
        binding=client.binding,
    )
    return NewClient(client, secret)


@action
def update_client(
    work: Work,
    client_id: str,
    *,
    name: str,
    redirect_uris: Iterable[str],
    post_logout_redirect_uris: Iterable[str],
    owner: str | None = None,
) -> Client:
    """Change an application's name and addresses; its credentials stay. Raises NotFound, ClientRevoked, Invalid."""
    asked = replace(
        registration_of(_living(work, client_id, owner)),
        name=name,
        redirect_uris=list(redirect_uris),
        post_logout_redirect_uris=list(post_logout_redirect_uris),
    )
    return change_registration(client_id, asked, owner=owner).client


@action
def change_registration(work: Work, client_id: str, asked: Registration, *, owner: str | None = None) -> NewClient:
    """Put a registration in the place of the one before, in another profile too.

    The secret stays where the client goes on having one; a new one is told where it did not. Raises NotFound,
    ClientRevoked, Invalid, which names the rule that the profile would break.
    """
    client = _living(work, client_id, owner)
    sound = _sound(asked, client.environment)
    check_widening(client.environment, client.scopes, sound.scopes)
    old = vars(registration_of(client))
    changed = sorted(name for name, value in vars(sound).items() if value != old[name])
    _fill(client, sound)
    secret = None
    if client.auth_method not in SECRET_METHODS:
        client.secrets, client.secret_created_at = [], None
    elif not client.secrets:
        secret = _new_secret(work, client)
    work.record(
        "identity:client:updated",
        client,
        before={name: old[name] for name in changed},
        after={name: getattr(client, name) for name in changed},
    )
    forget(client_id)
    return NewClient(client, secret)


def _new_secret(work: Work, client: Client) -> str:
    secret = new_token()
    kept = [StoredSecret.from_row(row) for row in client.secrets]
    ends_at = end_of_new_secret(client.environment, work.now)
    client.secrets = [one.as_row() for one in after_rotation(kept, secret, work.now, ends_at)]
    client.secret_created_at, client.warned_of = work.now, None
    return secret


@action
def rotate_secret(work: Work, client_id: str, *, owner: str | None = None) -> str:
    """A new secret, told this once; the one before it works for seven more days. Raises NotFound, ClientRevoked."""
    client = _living(work, client_id, owner)
    if client.auth_method not in SECRET_METHODS:
        raise Conflict(_("This client proves who it is without a secret."))
    secret = _new_secret(work, client)
    work.record("identity:client:secret-rotated", client, previous_ends_at=client.secrets[-1]["ends_at"])
    forget(client_id)
    return secret


@action
def revoke_client(work: Work, client_id: str, *, owner: str | None = None) -> None:
    """End a client for good: no sign-in, no token, and those it has stop working. Raises NotFound.

    Does nothing the second time.
    """
    client = _locked(work, client_id, owner)
    if client.revoked_at is None:
        client.revoked_at = work.now
        client.secrets = []
        work.record("identity:client:revoked", client, name=client.name)
    forget(client_id)


def _living(work: Work, client_id: str, owner: str | None) -> Client:
    client = _locked(work, client_id, owner)
    if client.revoked_at is not None:
        raise ClientRevoked()
    return client


def _locked(work: Work, client_id: str, owner: str | None) -> Client:
    """The row, kept from others until the commit, so that two rotations at once give two secrets that both work."""
    if owner is not None:
        client_of(owner, client_id)
    query = (
        select(Client).where(Client.client_id == client_id).with_for_update().execution_options(populate_existing=True)
    )
    client = work.session.scalar(query)
    if client is None:
        raise NotFound()
    return client


# ---- what is signed by clients, and when it ends ----


@action
def use_once(work: Work, kind: str, client_id: str, jti: str, until: datetime) -> bool:
    """Note that something signed was used. False if it had been: it was replayed (RFC 7523 3, RFC 9449 11.1).

    until: when the thing ends by itself, so that nothing has to be remembered any longer.
    """
    proof_hash = hashlib.sha256("\0".join((kind, client_id, jti)).encode()).digest()
    noted = insert(UsedProof).values(proof_hash=proof_hash, expires_at=until)
    noted = noted.on_conflict_do_update(
        index_elements=["proof_hash"], set_={"expires_at": until}, where=UsedProof.expires_at < work.now
    )
    return work.session.execute(noted.returning(UsedProof.expires_at)).one_or_none() is not None


@periodic("identity:proof:sweep", "*/5 * * * *")
def sweep_proofs() -> None:
    """Forget what has ended by itself, in batches that keep nobody waiting."""
    while sweep_used_proofs() == BATCH:
        pass


@action
def sweep_used_proofs(work: Work) -> int:
    """One batch; how many were forgotten."""
    ended = (
        select(UsedProof.proof_hash)
        .where(UsedProof.expires_at < work.now)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    forgotten = delete(UsedProof).where(UsedProof.proof_hash.in_(ended)).returning(UsedProof.proof_hash)
    return len(work.session.execute(forgotten.execution_options(synchronize_session=False)).all())


@periodic("identity:client:warn", "23 11 * * *")
def warn_of_ends() -> None:
    """Each morning, tell the owners of secrets and keys that end soon."""
    after = ""
    while True:
        last = warn_batch(after)
        if last is None:
            return
        after = last


@action
def warn_batch(work: Work, after: str) -> str | None:
    """Tell the owners of one batch of clients; the last client looked at, None at the end."""
    query = (
        select(Client)
        .where(Client.client_id > after, Client.revoked_at.is_(None))
        .order_by(Client.client_id)
        .limit(200)
        .with_for_update(skip_locked=True)
    )
    clients = work.session.scalars(query).all()
    for client in clients:
        ends = [end for row in client.secrets[:1] if (end := StoredSecret.from_row(row).ends_at)]
        ends += [end for key in (client.jwks or {}).get("keys", []) if (end := end_of(key))]
        if due := warning_due(ends, client.warned_of, work.now):
            _warn(work, client, *due)
    return clients[-1].client_id if clients else None


def _warn(work: Work, client: Client, end: datetime, mark: datetime) -> None:
    client.warned_of = mark
    agency = client.owner.removeprefix("agency:") if client.owner.startswith("agency:") else None
    told = {official.email for official in officials_of(agency, "administrator")} if agency else set()
    addresses = sorted(address for address in {*told, *client.contacts} if address)
    day = f"{local(end):%d-%m-%Y}"
    subject = str(_("The credentials of %(name)s end on %(day)s", name=client.name, day=day))
    text = str(
        _(
            "The secret or key of “%(name)s” (%(client_id)s) ends on %(day)s. Make a new one before that day, or nobody"
            " will be able to sign in. The old one works beside the new one for some days.",
            name=client.name,
            client_id=client.client_id,
            day=day,
        )
    )
    for address in addresses:
        work.defer(deliver, to=address, subject=subject, text=text)
    work.record("identity:client:owner-warned", client, ends_at=end.isoformat(), told=len(addresses))
