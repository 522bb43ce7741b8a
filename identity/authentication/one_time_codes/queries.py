"""Reads of second factors."""

from __future__ import annotations

from uuid import UUID

from identity.authentication.one_time_codes.models import SecondFactor
from identity.authentication.one_time_codes.rules import NotEnrolled, code_at, seal_context, step_of
from identity.people.rules import KnownPerson
from kernel.base import clock
from kernel.base.crypto import unseal
from kernel.base.installation import settings
from kernel.database.db import session


def find_factor(person_id: UUID | str) -> SecondFactor | None:
    """The person's second factor, confirmed or only begun."""
    return session().get(SecondFactor, UUID(str(person_id)))


def secret_of(factor: SecondFactor) -> bytes:
    """Return the secret that the person's app shares with us."""
    return unseal(settings().master_key, factor.sealed_secret, seal_context(factor.person_id))


def secret_to_activate(person_id: UUID | str) -> bytes:
    """The secret that a person is just giving to their app. Raises NotEnrolled."""
    factor = find_factor(person_id)
    if factor is None or not factor.is_activatable(clock.now()):
        raise NotEnrolled()
    return secret_of(factor)


def published_code(person: KnownPerson) -> str | None:
    """The code of this moment of a test person: their secrets are published, for whoever tries something out."""
    factor = find_factor(person.id) if person.is_test_person else None
    return code_at(secret_of(factor), step_of(clock.now())) if factor else None
