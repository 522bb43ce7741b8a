"""Rules of telephones: how numbers are written, and the codes that confirm them."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from kernel.base.errors import Invalid, TooMany, _
from kernel.base.notices import MAIL, PAGE, NoticeTemplate

CODE_LIFETIME = timedelta(minutes=10)
PAUSE = timedelta(minutes=1)
"""Between two codes for one person, or to one number."""
CODE_TEXT = _("%(code)s is your code to confirm this telephone. It is good for 10 minutes. Give it to nobody.")
_SEPARATORS = re.compile(r"[\s.()\-‐-―−]")
# E.164 6.1: at most fifteen digits, of which the first is no zero. Shorter than eight is no subscriber's anywhere.
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_CHILEAN_MOBILE = re.compile(r"\+569[0-9]{8}")


class CodeSentLately(TooMany):
    """A code went out less than a minute ago."""

    def __init__(self) -> None:
        super().__init__(
            _("A code was sent less than a minute ago. Wait a minute and ask for another one."),
            headers={"Retry-After": str(int(PAUSE.total_seconds()))},
        )


def parse_phone(text: str) -> str:
    """Read a telephone's number as people write it, in the form of E.164; without `+` it is a Chilean mobile's.

    Raises Invalid.
    """
    written = _SEPARATORS.sub("", text)
    if re.fullmatch("9[0-9]{8}", written):
        written = f"+56{written}"
    elif re.fullmatch("569[0-9]{8}", written):
        written = f"+{written}"
    is_chilean = written.startswith("+56")
    if not (_CHILEAN_MOBILE if is_chilean else _E164).fullmatch(written):
        raise Invalid(
            fields={"phone": [_("Write a mobile number, such as 9 1234 5678; of another country, with + first.")]}
        )
    return written


def new_code() -> str:
    """Six digits: enough for ten minutes with throttled guesses."""
    return f"{secrets.randbelow(1_000_000):06}"


def code_hash(key: bytes, person_id: UUID, phone: str, code: str) -> bytes:
    """The hash of a code under a key of ours: six digits could be guessed from a plain one."""
    digits = re.sub(r"\s", "", code)
    return hmac.digest(key, f"phone-code\0{person_id}\0{phone}\0{digits}".encode(), sha256)


def is_current(sent_at: datetime, now: datetime) -> bool:
    """Whether a code that was sent then is still good."""
    return now - sent_at <= CODE_LIFETIME


SECURITY = _("Security of your identity")
ADVICE = _("If this was not you, change your password and ask for help at once.")
# By mail whatever was chosen, so that a thief's doing does not stay hidden.
PHONE_SET = NoticeTemplate(
    kind="identity.phone-set",
    group=SECURITY,
    label=_("A telephone is set for your notices"),
    title=_("A telephone was set for your notices"),
    text="%(title)s.\n\n%(advice)s",
    channels=frozenset({MAIL, PAGE}),
    always=frozenset({MAIL, PAGE}),
)
PHONE_REMOVED = NoticeTemplate(
    kind="identity.phone-removed",
    group=SECURITY,
    label=_("Your telephone is removed"),
    title=_("The telephone for your notices was removed"),
    text="%(title)s.\n\n%(advice)s",
    channels=frozenset({MAIL, PAGE}),
    always=frozenset({MAIL, PAGE}),
)
TEMPLATES = (PHONE_SET, PHONE_REMOVED)
