"""Changes of a person."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError

from identity.people.models import Person
from identity.people.queries import get_person
from identity.people.rules import (
    KnownPerson,
    RunTaken,
    check_new_password,
    clean_email,
    clean_names,
    hash_password,
    parse_run,
    pepper_from,
)
from kernel.base.errors import Invalid, _
from kernel.base.installation import settings
from kernel.database.prepared import PreparedWrite
from kernel.http.i18n import LANGUAGES
from kernel.recording.work import Work, action


@action
def register_person(
    work: Work,
    run: str,
    given_names: Sequence[str],
    family_names: Sequence[str],
    email: str | None,
    password: str,
    *,
    is_test_person: bool = False,
) -> Person:
    """Give a person a digital identity.

    A test person of the sandbox may have a short, known password; nobody else. Raises Invalid; RunTaken for a RUN
    that already has a person.
    """
    number = parse_run(run)
    if not is_test_person:
        check_new_password(password)
    person = Person(
        run_number=number.number,
        run_dv=number.dv,
        given_names=clean_names(given_names, "given_names", required=True),
        family_names=clean_names(family_names, "family_names", required=False),
        email=clean_email(email),
        password_hash=hash_password(password, pepper_from(settings().master_key)),
        is_test_person=is_test_person,
        created_at=work.now,
        password_changed_at=work.now,
    )
    work.add(person)
    try:
        work.session.flush()
    except IntegrityError as error:
        raise RunTaken(fields={"run": [_("There is already a person with this RUN.")]}) from error
    work.record("identity:person:registered", person, is_test_person=is_test_person)
    return person


_note_language = PreparedWrite(
    update(Person)
    .where(Person.id == bindparam("person_id"), Person.language_is_chosen.is_(False))
    .values(language=bindparam("language"))
)


def note_language(person: KnownPerson, language: str) -> None:
    """Write to a person in the language in which they have just signed in, unless they chose one. No news for the
    audit, which knows of the sign-in.
    """
    if language != person.language and not person.language_is_chosen:
        _note_language.soon(person_id=person.id, language=language)


@action
def choose_language(work: Work, person_id: UUID | str, language: str) -> None:
    """Write to a person in this language from now on. Raises Invalid, NotFound."""
    if language not in LANGUAGES:
        raise Invalid(fields={"language": [_("Choose one of the languages offered.")]})
    person = get_person(person_id)
    if (person.language, person.language_is_chosen) != (language, True):
        person.language, person.language_is_chosen = language, True
        work.record("identity:person:language-chosen", person, language=language)


@action
def set_phone(work: Work, person_id: UUID, phone: str | None) -> None:
    """Keep the number that a person has confirmed, or none any more. Raises NotFound."""
    person = get_person(person_id)
    tag = "identity:person:phone-set" if phone else "identity:person:phone-removed"
    person.phone = phone
    work.record(tag, person)


@action
def set_password(work: Work, person_id: UUID | str, password: str, field: str = "password") -> Person:
    """Replace a person's password. Raises Invalid with the message at `field`, NotFound."""
    check_new_password(password, field)
    person = get_person(person_id)
    person.password_hash = hash_password(password, pepper_from(settings().master_key))
    person.password_changed_at = work.now
    work.record("identity:person:password-changed", person)
    return person


@action
def rehash_password(work: Work, person: Person, password: str) -> None:
    """Hash a password that has just been proved anew, with the parameters of today."""
    person.password_hash = hash_password(password, pepper_from(settings().master_key))
    work.record("identity:person:password-rehashed", person)
