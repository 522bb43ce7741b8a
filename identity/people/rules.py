"""Rules of people: the RUN, the names, and what may be a password."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from stdnum.cl.rut import calc_check_digit

from kernel.base.errors import Conflict, Invalid, Unavailable, _

MAX_NAME = 100
MAX_NAMES = 10
MIN_PASSWORD = 8
MAX_PASSWORD = 128
HIGHEST_RUN = 99_999_999
SECOND_FACTOR_ALWAYS = "always"
SECOND_FACTOR_WHEN_ASKED = "when asked"

# OWASP's floor for argon2id: about 37 ms of one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$Y29yZGlsbGVyYW5vYm9keQ$kDXyaMGuMhZ11wXTEUKGNeHaLwvl2CCyUQDeWN2sjQw"
"""A hash that is verified for a person who does not exist, so that the answer takes as long. No password fits it."""

# Each hash takes 19 MiB and a core: more at once than cores makes everybody wait longer, and each of them dearer,
# because they push one another out of the caches. The cores are shared by as many processes as gunicorn starts.
_HASHES_AT_ONCE = BoundedSemaphore(max(1, (os.cpu_count() or 1) // int(os.environ.get("WEB_CONCURRENCY", "2"))))
_LONGEST_WAIT_SECONDS = 10.0

_SEPARATORS = re.compile(r"[\s.,'’\-‐-―−_]")
_RUN = re.compile(r"([0-9]{1,9})([0-9K])")
_EMAIL = re.compile(r"[^@\s\x00-\x1f<>\"(),:;\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?\.[A-Za-z]{2,63}")


class RunTaken(Conflict):
    kind = "run-taken"
    title = _("This RUN is already registered")
    explanation = _("A person has one digital identity. There is already one with this RUN.")
    remedy = _("Sign in with it, or ask for help to recover it.")


class SharedTestPerson(Conflict):
    """Many try things out as the same test person: none of them may shut the others out, or see where they are."""

    kind = "shared-test-person"
    title = _("Test persons are shared")
    explanation = _("Many people try things out as this test person, so its password and its other sessions stay.")
    remedy = _("Register a person of your own for this.")


@dataclass(frozen=True)
class Run:
    """Rol Único Nacional: a person's number and its check digit (modulo 11, `K` for ten)."""

    number: int
    dv: str

    def __str__(self) -> str:
        return f"{self.number:,}".replace(",", ".") + f"-{self.dv}"


@dataclass(frozen=True)
class KnownPerson:
    """A person as read, without a tie to the database."""

    id: UUID
    run_number: int
    run_dv: str
    given_names: Sequence[str]
    family_names: Sequence[str]
    email: str | None
    is_test_person: bool
    second_factor: str | None
    language: str
    language_is_chosen: bool

    @property
    def run(self) -> Run:
        return Run(self.run_number, self.run_dv)

    @property
    def name(self) -> str:
        return " ".join([*self.given_names, *self.family_names])


def parse_run(text: str, field: str = "run") -> Run:
    """Read a RUN in any spelling: dots, dashes, spaces or none, `k` or `K`, leading zeros.

    Raises Invalid, with the message at `field`, when it is not a RUN or its check digit does not fit.
    """
    compact = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text[:64])).upper()
    match = _RUN.fullmatch(compact)
    if not match or not 1 <= int(match[1]) <= HIGHEST_RUN:
        raise Invalid(fields={field: [_("Write the RUN with its digits and check digit, for example 12.345.678-5.")]})
    number, dv = int(match[1]), match[2]
    if calc_check_digit(str(number)) != dv:
        raise Invalid(
            fields={
                field: [
                    _(
                        "The check digit does not fit: %(run)s is not a RUN. Compare it with the identity card.",
                        run=str(Run(number, dv)),
                    )
                ]
            }
        )
    return Run(number, dv)


def clean_names(names: Sequence[str], field: str, *, required: bool) -> list[str]:
    """Names without stray spaces, in one Unicode form (NFC). Raises Invalid."""
    cleaned = [" ".join(unicodedata.normalize("NFC", name).split()) for name in names]
    cleaned = [name for name in cleaned if name]
    if required and not cleaned:
        raise Invalid(fields={field: [_("Write at least one name.")]})
    if len(cleaned) > MAX_NAMES or any(len(name) > MAX_NAME or not name.isprintable() for name in cleaned):
        raise Invalid(fields={field: [_("A name can have at most 100 letters, and no control characters.")]})
    return cleaned


def clean_email(email: str | None, field: str = "email") -> str | None:
    """The address, or None for none. Raises Invalid."""
    cleaned = unicodedata.normalize("NFC", email or "").strip()
    if not cleaned:
        return None
    if len(cleaned) > 254 or not _EMAIL.fullmatch(cleaned):
        raise Invalid(fields={field: [_("Write an e-mail address such as name@example.cl.")]})
    return cleaned


def check_new_password(password: str, field: str = "password") -> None:
    """NIST SP 800-63B 3.1.1: length is what counts; no rules about kinds of characters. Raises Invalid."""
    length = len(unicodedata.normalize("NFC", password))
    if not MIN_PASSWORD <= length <= MAX_PASSWORD:
        raise Invalid(fields={field: [_("The password needs from 8 to 128 characters.")]})
    if len(set(password)) < 3:
        raise Invalid(fields={field: [_("This password repeats the same characters. Choose another.")]})


def pepper_from(master_key: bytes) -> bytes:
    """The key that passwords are mixed with before hashing; kept outside the database (RFC 5869, one block)."""
    return hmac.new(master_key, b"cordillera password pepper\x01", hashlib.sha256).digest()


def hash_password(password: str, pepper: bytes) -> str:
    """argon2id over the peppered password."""
    with hashing_slot():
        return _HASHER.hash(_peppered(password, pepper))


def password_matches(password: str, password_hash: str, pepper: bytes) -> bool:
    """Whether the password is the one of the hash; takes as long either way."""
    with hashing_slot():
        try:
            return _HASHER.verify(password_hash, _peppered(password, pepper))
        except (VerificationError, InvalidHashError):
            return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with parameters of the past."""
    return _HASHER.check_needs_rehash(password_hash)


def _peppered(password: str, pepper: bytes) -> str:
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return hmac.new(pepper, text, hashlib.sha256).hexdigest()


@contextmanager
def hashing_slot() -> Iterator[None]:
    """Wait for one of the slots in which passwords may be hashed, and hold it: each hash takes much memory."""
    if not _HASHES_AT_ONCE.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise Unavailable(log="too many passwords to check at once", headers={"Retry-After": "10"})
    try:
        yield
    finally:
        _HASHES_AT_ONCE.release()
