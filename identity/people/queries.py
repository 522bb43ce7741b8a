"""Reads of persons."""

from __future__ import annotations

from dataclasses import fields
from uuid import UUID

from sqlalchemy import select

from identity.people.models import Person
from identity.people.rules import KnownPerson, parse_run
from kernel.db import session
from kernel.errors import NotFound

KNOWN_PERSON = tuple(getattr(Person, one.name) for one in fields(KnownPerson))
"""The columns of a `KnownPerson`, in its order."""


def find_by_run(run: str) -> Person | None:
    """The person with this RUN, in any spelling. Raises Invalid for what is not a RUN."""
    return session().scalar(select(Person).where(Person.run_number == parse_run(run).number))


def known(person: Person) -> KnownPerson:
    """The same, without a tie to the database."""
    return KnownPerson(*(getattr(person, one.name) for one in fields(KnownPerson)))


def get_person(person_id: UUID | str) -> Person:
    """The person. Raises NotFound."""
    try:
        wanted = person_id if isinstance(person_id, UUID) else UUID(person_id)
    except ValueError as error:
        raise NotFound() from error
    found = session().get(Person, wanted)
    if found is None:
        raise NotFound()
    return found
