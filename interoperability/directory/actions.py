"""Registering and revoking the keys that agencies sign with; each is a record in the evidence log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import exists, select, text

from interoperability.directory.models import AgencyKey
from interoperability.directory.rules import KeyTaken, algorithm_of, check_possession, public_jwk
from interoperability.evidence.actions import append
from interoperability.evidence.rules import thumbprint
from kernel.base.errors import NotYours
from kernel.base.installation import settings
from kernel.jobs.access import AgencyRef, Principal
from kernel.keys.signatures import jws, rotate_key
from kernel.recording.work import Work, action

PAGES_ALGORITHM = "ES256"


@action
def register_key(work: Work, principal: Principal, name: str, public_key: str, proof: str) -> AgencyKey:
    """Register the public half of a key of the principal's agency.

    public_key: PEM or JWK. proof: a JWS by its private half (`check_possession`). Raises Invalid, KeyTaken.
    """
    agency = principal.acting_agency
    jwk = public_jwk(public_key)
    check_possession(proof, jwk, agency.code, settings().base_url, work.now)
    if _is_known(work, jwk):
        raise KeyTaken(log=thumbprint(jwk))
    return _add(work, agency.code, jwk, name, "agency", principal.name)


def _is_known(work: Work, jwk: dict[str, Any]) -> bool:
    """Whether the key is registered, for whomever; waits for whoever is registering it now."""
    name = {"name": f"agency-key:{thumbprint(jwk)}"}
    work.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), name)
    query = select(exists().where(AgencyKey.thumbprint == thumbprint(jwk)))
    return bool(work.session.scalar(query))


def _add(work: Work, agency: str, jwk: dict[str, Any], name: str, held_by: str, by: str) -> AgencyKey:
    key = AgencyKey(agency=agency, thumbprint=thumbprint(jwk), jwk=jwk, algorithm=algorithm_of(jwk), name=name)
    key.held_by, key.registered_at, key.registered_by = held_by, work.now, by
    work.add(key)
    facts = {"agency": agency, "thumbprint": key.thumbprint, "key": jwk, "held_by": held_by}
    append(work, "directory:key:registered", evidence_subject(key.thumbprint), facts)
    work.record("interoperability:key:registered", key, agency=agency, held_by=held_by, name=name)
    return key


def evidence_subject(key: str) -> str:
    """Name a key as the evidence log does."""
    return f"key:{key}"


@action
def revoke_key(work: Work, principal: Principal, key: str, reason: str) -> AgencyKey:
    """From now on nothing that the key signs is accepted; what it signed before stands. Raises NotYours.

    The key kept here for officials is replaced by a new one at once.
    """
    agency = principal.acting_agency
    query = select(AgencyKey).where(AgencyKey.thumbprint == key, AgencyKey.agency == agency.code).with_for_update()
    record = work.session.scalars(query).one_or_none()
    if record is None:
        raise NotYours(log=f"key {key[:64]} is not of {agency.code}")
    if record.revoked_at is not None:
        return record
    record.revoked_at, record.revocation_reason = work.now, reason
    facts = {"agency": agency.code, "thumbprint": record.thumbprint, "reason": reason}
    append(work, "directory:key:revoked", evidence_subject(record.thumbprint), facts)
    work.record("interoperability:key:revoked", record, agency=agency.code, reason=reason)
    if record.held_by == "platform":
        rotate_key(_purpose(agency.code), PAGES_ALGORITHM, signs_in=timedelta())
    return record


@action
def sign_for_officials(work: Work, agency: AgencyRef, content: bytes) -> str:
    """A compact JWS by the key kept here for an agency whose officials work in pages; a new key is registered first."""
    signed = jws(_purpose(agency.code), {"alg": PAGES_ALGORITHM}, content, PAGES_ALGORITHM)
    jwk = {name: signed.public_jwk[name] for name in ("kty", "crv", "x", "y")}
    if not _is_known(work, jwk):
        _add(work, agency.code, jwk, "Cordillera", "platform", "Cordillera")
    return signed.text


def _purpose(agency: str) -> str:
    return f"agency:{agency}"
