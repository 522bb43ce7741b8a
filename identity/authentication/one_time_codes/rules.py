"""Second factors of a person: an app that computes codes (RFC 6238), and recovery codes on paper."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, urlencode
from uuid import UUID

import segno
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from kernel.base.errors import Conflict, Invalid, _
from kernel.base.notices import MAIL, PAGE, NoticeTemplate

SECRET_BYTES = 20
"""RFC 4226 4 (R6): 160 bits."""
DIGITS = 6
STEP_SECONDS = 30
DRIFT = 1
"""RFC 6238 5.2: one step to each side, for clocks that differ and for the time that typing takes."""
ENROLMENT_LIFETIME = timedelta(hours=1)
QR_PIXELS = 5
"""The side of one square of a QR code: large enough for an old camera, small enough for the narrowest screen."""
RECOVERY_CODES = 10
RECOVERY_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come about, and no digits, so that no recovery code looks like one of the app."""
RECOVERY_CHARACTERS = 12


class WrongCode(Invalid):
    """RFC 6238: not the code of this moment, or one that was used before."""

    kind = "wrong-code"
    title = _("The code is not correct")
    explanation = _("The code is not the one that your app shows now, or it was used before.")
    remedy = _("Wait until the app shows the next code, and enter that one.")
    oauth_error = "access_denied"


class AlreadyEnrolled(Conflict):
    kind = "second-factor-present"
    title = _("You have a second step already")
    explanation = _("An app with your secret is set up.")
    remedy = _("To change to another phone, remove the second step first and set it up again.")


class NotEnrolled(Conflict):
    kind = "second-factor-missing"
    title = _("There is no second step to confirm")
    explanation = _("You have not begun to set up a second step, or you began more than an hour ago.")
    remedy = _("Begin again in your account.")


class CodeRequired(Conflict):
    kind = "second-factor-wanted"
    title = _("Enter your code first")
    explanation = _("You signed in here with your password alone, and this is about the second step itself.")
    remedy = _("Enter the code that your app shows, and try again.")


def new_secret() -> bytes:
    """Create the secret of an app (RFC 4226 4 R6: at least 128 bits)."""
    return secrets.token_bytes(SECRET_BYTES)


def seal_context(person_id: UUID) -> str:
    """The context to which a person's secret is sealed (`kernel.base.crypto`)."""
    return f"second-factor:{person_id}"


def step_of(now: datetime) -> int:
    """RFC 6238 4.2: T, the number of steps since 1970."""
    return int(now.timestamp()) // STEP_SECONDS


def code_at(secret: bytes, step: int) -> str:
    """RFC 6238 4: the code of a step."""
    algorithm = SHA1()  # noqa: S303  # RFC 6238 1.2: HMAC with it is sound, and many apps know no other
    return TOTP(secret, DIGITS, algorithm, STEP_SECONDS).generate(step * STEP_SECONDS).decode()


def matching_steps(secret: bytes, code: str, now: datetime) -> list[int]:
    """The steps near this moment whose code this is; each is compared, so that the time says nothing."""
    near = range(step_of(now) - DRIFT, step_of(now) + DRIFT + 1)
    return [step for step in near if hmac.compare_digest(code_at(secret, step), code)]


def normalised_code(text: str) -> str:
    """Return a code as a person typed it, without what they parted it by; empty for what can be no code."""
    code = re.sub(r"[\s.\-‐-―−]", "", text[:100]).upper()
    is_code = re.fullmatch(rf"[0-9]{{{DIGITS}}}|[{RECOVERY_ALPHABET}]{{{RECOVERY_CHARACTERS}}}", code, re.ASCII)
    return code if is_code else ""


def grouped(text: str) -> str:
    """In groups of four, to be read and typed."""
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def base32(secret: bytes) -> str:
    """Write a secret as apps take it (RFC 4648 6); 160 bits need no padding."""
    return base64.b32encode(secret).decode()


def readable_secret(secret: bytes) -> str:
    """Write the secret for a person to read, in two lines that a telephone has room for."""
    text = base32(secret)
    return f"{grouped(text[:16])}\n{grouped(text[16:])}"


def otpauth_link(secret: bytes, account: str) -> str:
    """The link that opens an app and brings the secret along."""
    name = quote(f"Cordillera:{account}", safe=":")
    parameters = {"secret": base32(secret), "issuer": "Cordillera", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{name}?{urlencode(parameters)}"


def qr_code(link: str) -> str:
    """The link as a picture (ISO/IEC 18004) in the page itself: the secret in it is nowhere else to be fetched from.

    On white with its quiet zone, whatever the colours around it: cameras look for dark on light.
    """
    return segno.make_qr(link, error="m").svg_data_uri(scale=QR_PIXELS, border=4, light="#fff")


def new_recovery_codes() -> list[str]:
    """Ten codes of 51 bits, each good once."""
    return [
        "".join(secrets.choice(RECOVERY_ALPHABET) for _position in range(RECOVERY_CHARACTERS))
        for _code in range(RECOVERY_CODES)
    ]


def recovery_hash(master_key: bytes, person_id: UUID, code: str) -> str:
    """The hash under which a recovery code is stored: made with a key of ours, and of no use to another person."""
    return hmac.new(_recovery_key(master_key), f"{person_id}\x00{code}".encode(), "sha256").hexdigest()


def remaining_codes(codes: Iterable[str], used: str) -> list[str]:
    """The recovery codes left after this one; as many as before if it is none of them. Takes as long either way."""
    return [one for one in codes if not hmac.compare_digest(one, used)]


@lru_cache(maxsize=4)
def _recovery_key(master_key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"cordillera:second-factor:recovery").derive(master_key)


SECURITY = _("Security of your identity")
ADVICE = _("If this was not you, change your password and ask for help at once.")
# By mail whatever was chosen, so that a thief's doing does not stay hidden.
SET_UP = NoticeTemplate(
    kind="identity.second-step-set-up",
    group=SECURITY,
    label=_("A second step is set up"),
    title=_("A second step was set up for your identity"),
    text="%(title)s.\n\n%(advice)s",
    always=frozenset({MAIL, PAGE}),
)
REMOVED = NoticeTemplate(
    kind="identity.second-step-removed",
    group=SECURITY,
    label=_("The second step is removed"),
    title=_("The second step of your identity was removed"),
    text="%(title)s.\n\n%(advice)s",
    always=frozenset({MAIL, PAGE}),
)
TEMPLATES = (SET_UP, REMOVED)
