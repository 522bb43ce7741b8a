"""Reads of persons."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any, TypeVarTuple
from uuid import UUID

from sqlalchemy import FromClause, Join, Select, select

from identity.people.models import Person
from identity.people.rules import KnownPerson, parse_run
from kernel.base.errors import NotFound
from kernel.database.db import Column, session
from kernel.outside.messages import Recipient

Columns = TypeVarTuple("Columns")
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KNOWN_PERSON = tuple(getattr(Person, one.name) for one in fields(KnownPerson))
"""The columns of a `KnownPerson`, in its order."""
PASSWORD_HASH = Person.password_hash


def with_person(query: Select[*Columns], person_id: Column[UUID]) -> Select[*Columns]:
    """A query joined with the person that a column of it names, to select `KNOWN_PERSON` with it."""
    return query.join(Person, Person.id == person_id)


def with_whole_person(query: Select[Any], person_id: Column[UUID]) -> Select[Any]:
    """A query's rows, each with the person that a column of it names."""
    return query.add_columns(Person).join(Person, Person.id == person_id)


def beside_person(table: FromClause, run_number: Column[int]) -> Join:
    """A table beside the person of this RUN, if there is one."""
    return table.outerjoin(Person, Person.run_number == run_number)


def find_by_run(run: str) -> Person | None:
    """The person with this RUN, in any spelling. Raises Invalid for what is not a RUN."""
    return session().scalar(select(Person).where(Person.run_number == parse_run(run).number))


def known_person(person: Person) -> KnownPerson:
    """Return the person without a tie to the database."""
    return KnownPerson(*(getattr(person, one.name) for one in fields(KnownPerson)))


def names_of(person_ids: Collection[str]) -> dict[str, str]:
    """The names of people by their identifiers; what is no identifier of a person is left out."""
    ids = [UUID(one) for one in person_ids if IDENTIFIER.fullmatch(one)]
    query = select(Person.id, Person.given_names, Person.family_names).where(Person.id.in_(ids))
    return {str(person_id): " ".join([*given, *family]) for person_id, given, family in session().execute(query)}


def mailboxes(addresses: Collection[str]) -> list[Recipient]:
    """The addresses with the language of the person who has them; Spanish where we know of none."""
    rows = session().execute(
        select(Person.email, Person.language).where(Person.email.in_(addresses)).order_by(Person.id)
    )
    languages = {str(email): str(language) for email, language in rows}
    return [Recipient(address, languages.get(address, "es")) for address in addresses]


def people_among(ids: Select[UUID]) -> Sequence[Person]:
    """The people whose identifiers a query finds, in the order in which they were registered."""
    return session().scalars(select(Person).where(Person.id.in_(ids)).order_by(Person.id)).all()


def phone_of(person_id: UUID) -> str | None:
    """The number that a person confirmed (E.164), None where they have none."""
    return session().scalar(select(Person.phone).where(Person.id == person_id))


def get_person(person_id: UUID | str) -> Person:
    """The person. Raises NotFound."""
    try:
        wanted = person_id if isinstance(person_id, UUID) else UUID(person_id)
    except ValueError as error:
        raise NotFound() from error
    row = session().get(Person, wanted)
    if row is None:
        raise NotFound()
    return row
