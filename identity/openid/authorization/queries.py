"""Reads of what the provider keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from identity.authentication.sessions.queries import current_sign_in
from identity.clients.registry.queries import with_client_and_owner
from identity.openid.grants.device_codes import user_code_hash
from identity.openid.models import ApplicationConsent, DeviceAuthorization, PushedRequest
from identity.openid.rules import TOLD_IN_ID_TOKEN
from kernel.base import clock
from kernel.base.crypto import unseal
from kernel.base.ids import token_hash
from kernel.base.installation import settings
from kernel.database.db import session


@dataclass(frozen=True)
class Pushed:
    """A request that the client sent beforehand: the hash it is kept by, its parameters, until when it may begin."""

    uri_hash: bytes
    parameters: Mapping[str, Sequence[str]]
    expires_at: datetime


def pushed_request(request_uri: str, client_id: str, *, even_answered: bool = False) -> Pushed | None:
    """The client's pushed request, however old; None for one that was answered, unless that does not matter."""
    row = session().get(PushedRequest, token_hash(request_uri))
    if row is None or row.client_id != client_id or (row.used_at is not None and not even_answered):
        return None
    content = unseal(settings().master_key, row.sealed, f"pushed:{row.uri_hash.hex()}")
    return Pushed(row.uri_hash, json.loads(content), row.expires_at)


@dataclass(frozen=True)
class EnteredApplication:
    """An application that a person shares something with."""

    client_id: str
    name: str
    agency_name: str | None
    logo: str | None
    sector: str
    has_claims_in_id_token: bool
    is_test: bool
    is_revoked: bool
    scopes: Sequence[str]
    authorization_details: Sequence[dict[str, Any]]
    given_at: datetime
    last_used_at: datetime


def applications_entered_by(person_id: UUID) -> Sequence[EnteredApplication]:
    """List the applications at which the person signs in with this identity, the latest first."""
    query = (
        with_client_and_owner(select(ApplicationConsent), ApplicationConsent.client_id)
        .where(ApplicationConsent.person_id == person_id, ApplicationConsent.withdrawn_at.is_(None))
        .order_by(ApplicationConsent.last_used_at.desc())
        .limit(200)
    )
    return [
        EnteredApplication(
            client_id=client.client_id,
            name=client.name,
            agency_name=agency.name if agency else None,
            logo=client.logo,
            sector=client.sector,
            has_claims_in_id_token=bool(client.options.get("claims_in_id_token"))
            and TOLD_IN_ID_TOKEN in consent.scopes,
            is_test=client.environment != "production",
            is_revoked=client.revoked_at is not None,
            scopes=[scope for scope in consent.scopes if scope != TOLD_IN_ID_TOKEN],
            authorization_details=consent.authorization_details,
            given_at=consent.given_at,
            last_used_at=consent.last_used_at,
        )
        for consent, client, agency in session().execute(query)
    ]


def is_tried_out() -> bool:
    """Whether a test person is signed in here: whoever has one is trying applications out, and not led on by a link."""
    sign_in = current_sign_in()
    return sign_in is not None and sign_in.person.is_test_person


def decided_device(user_code: str, sid: str) -> DeviceAuthorization | None:
    """Return the request of a device that the person decided in this session, while there is time."""
    query = (
        select(DeviceAuthorization)
        .where(
            DeviceAuthorization.user_code_hash == user_code_hash(settings().master_key, user_code),
            DeviceAuthorization.sid == sid,
            DeviceAuthorization.decision.is_not(None),
            DeviceAuthorization.expires_at > clock.now(),
        )
        .execution_options(populate_existing=True)
    )
    return session().scalar(query)


def device_waiting(user_code: str) -> DeviceAuthorization | None:
    """Return the request of the device with this code on its screen, while nobody has decided and there is time."""
    query = select(DeviceAuthorization).where(
        DeviceAuthorization.user_code_hash == user_code_hash(settings().master_key, user_code),
        DeviceAuthorization.decision.is_(None),
        DeviceAuthorization.expires_at > clock.now(),
    )
    return session().scalar(query)
