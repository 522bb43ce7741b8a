"""Rules of taking over an application that a developer of the sandbox made."""

from __future__ import annotations

from collections.abc import Iterable

from kernel.base.errors import Conflict, Invalid, _
from kernel.base.text import fault_of_lines, with_plain_breaks


class AlreadyOffered(Conflict):
    kind = "application-already-offered"
    title = _("The application has already been offered")
    explanation = _("An agency is reviewing it, or already has it.")
    remedy = _("Wait for the answer, or withdraw the offer.")


def checked_words(words: str, field: str) -> str:
    """Why a developer offers an application, or an agency declines it. Raises Invalid."""
    words = with_plain_breaks(words).strip()
    if fault := fault_of_lines(words):
        raise Invalid(fields={field: [fault]})
    if not 10 <= len(words) <= 500:
        raise Invalid(fields={field: [_("Say why in 10 to 500 characters.")]})
    return words


def without_ours(addresses: Iterable[str], base_url: str) -> list[str]:
    """The addresses to return to without those of this platform, where the sandbox lets its developers try."""
    return [address for address in addresses if not address.startswith(f"{base_url}/")]
