"""The second factor: RFC 6238 by the letter, and what a person may type."""

import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from identity.authentication.one_time_codes.rules import (
    code_at,
    matching_steps,
    new_recovery_codes,
    normalised_code,
    otpauth_link,
    qr_code,
    step_of,
)


# RFC 6238, Appendix B: its codes of eight digits, of which ours are the last six.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert code_at(b"12345678901234567890", step_of(at)) == code[2:]


def test_one_step_of_drift_and_no_more() -> None:
    secret, at = b"12345678901234567890", datetime.fromtimestamp(2_000_000_000, UTC)
    accepted = [steps for steps in range(-3, 4) if matching_steps(secret, code_at(secret, step_of(at) + steps), at)]
    assert accepted == [-1, 0, 1]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("bcdf ghjk lmnp", "BCDFGHJKLMNP"),
        ("BCDF-GHJK-LMNP", "BCDFGHJKLMNP"),
        ("12345", ""),
        ("1234567", ""),
        ("１２３４５６", ""),
        ("٤٤٤٤٤٤", ""),
        ("BCDFGHJKLMN", ""),
        ("AEIOUAEIOUAE", ""),
        ("\x00" * 6, ""),
        ("1" * 1_000_000, ""),
        ("", ""),
    ],
)
def test_what_a_person_may_type(text: str, code: str) -> None:
    assert normalised_code(text) == code


def test_recovery_codes_are_many_different_and_typeable() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    assert all(normalised_code(code) == code for code in codes)


def test_the_link_says_what_apps_read() -> None:
    assert otpauth_link(b"12345678901234567890", "12.345.678-5") == (
        "otpauth://totp/Cordillera:12.345.678-5"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Cordillera&digits=6&period=30"
    )


def test_the_picture_is_dark_on_white_with_its_quiet_zone() -> None:
    """ISO/IEC 18004: four squares of light around it, without which cameras do not find it."""
    picture = unquote(qr_code(otpauth_link(b"12345678901234567890", "12.345.678-5")))
    side = int(re.search(r"fill='#fff' d='M0 0h(\d+)v", picture)[1])  # type: ignore[index]
    dark = re.search(r"stroke='#000' d='M4 4\.5h7.*?'", picture)
    assert dark
    assert f"width='{side * 5}' height='{side * 5}'" in picture
    assert side * 5 <= 320
