"""Text that people write and read: what never belongs in it, as a pattern that documents and programs share."""

from __future__ import annotations

import re
import unicodedata

from kernel.base.errors import Text, _

# Control characters, line and paragraph separators, what makes a text read in another direction than it is written,
# and the byte order mark.
_NEVER = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
_BREAKS = r"\t\n"
# Two names that look the same would be different: Unicode's default ignorable code points, less those of emoji.
_UNSEEN = r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u2064\u206a-\u206f\u3164\uffa0"

LINE = rf"[^{_NEVER}{_BREAKS}{_UNSEEN}]*[^\s{_NEVER}{_UNSEEN}][^{_NEVER}{_BREAKS}{_UNSEEN}]*"
"""One line that says something: not only spaces."""
_OF_LINES = rf"(?:[^{_NEVER}]|\r\n)*"
LINES = rf"{_OF_LINES}[^\s{_NEVER}]{_OF_LINES}"
"""Several lines that say something, with tabs; they end as Unix or as Windows and HTML forms end them."""

_IN_ADDRESS = rf"[^\s@,;:<>()\[\]\"\\{_NEVER}{_UNSEEN}]"
EMAIL = rf"{_IN_ADDRESS}{{1,64}}@{_IN_ADDRESS}{{1,250}}"
"""One address for mail, also of names beyond ASCII (RFC 5321, RFC 6531), without what could begin another one."""

_EMAIL = re.compile(EMAIL)
_LINE, _LINES = re.compile(LINE), re.compile(LINES)
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")
_REFUSED_IN_LINE = re.compile(rf"[{_NEVER}{_BREAKS}{_UNSEEN}\ud800-\udfff]")
_REFUSED_IN_LINES = re.compile(rf"(?!\r\n)[{_NEVER}\ud800-\udfff]")


def is_line(text: str) -> bool:
    """Whether the text is one line that can be shown and stored."""
    return bool(_LINE.fullmatch(text)) and is_storable(text)


def is_lines(text: str) -> bool:
    """Whether the text is lines of text that may be stored; line breaks and tabs are allowed."""
    return bool(_LINES.fullmatch(text)) and is_storable(text)


def is_email(text: str) -> bool:
    """Whether the text is one address for mail."""
    return bool(_EMAIL.fullmatch(text)) and is_storable(text)


def is_storable(text: str) -> bool:
    """Whether the text has no half of a surrogate pair, which JSON can spell and no encoding takes."""
    return _HALF_PAIR.search(text) is None


def with_plain_breaks(text: str) -> str:
    """Several lines, each ended as Unix does."""
    return text.replace("\r\n", "\n")


def fault_of_line(text: str) -> Text | None:
    """A sentence that names the first character that does not belong in one line, if there is one."""
    return _fault(_REFUSED_IN_LINE.search(text))


def fault_of_lines(text: str) -> Text | None:
    """A sentence that names the first character that does not belong in several lines, if there is one."""
    return _fault(_REFUSED_IN_LINES.search(text))


def _fault(match: re.Match[str] | None) -> Text | None:
    if match is None:
        return None
    code, name = f"U+{ord(match[0]):04X}", unicodedata.name(match[0], "")
    return _("The character %(character)s is not accepted here: remove it.", character=f"{code} {name}".strip())
