"""Whether a text is a regular expression of ECMA-262, as far as can be said without JavaScript.

It is brought to Python's way of writing and compiled, never run. What Python cannot do and JavaScript can passes.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

LONGEST = 5_000
"""Longer ones are not looked at."""
PYTHONS_OWN_LIMITS = ("look-behind requires fixed-width", "the repetition number is too large", "redefinition of group")
TOKEN = re.compile(
    r"\\(?:u\{[0-9a-fA-F]+\}|[pP]\{[^{}]*\}|k<\w+>|c[A-Za-z]|.)"
    r"|\(\?(?:<[=!]|<(?=[A-Za-z_$])|[ims]*-?[ims]*:|[=!])?|\[\^?\]?|.",
    re.DOTALL,
)
CLASSES = ("\\w", "\\W", "\\d", "\\D", "\\s", "\\S")
PLAIN_ESCAPES = frozenset("dDwWsSbBnrtfv0123456789")


class _OnlyInPython(ValueError):
    """Python would compile what JavaScript does not know."""


@lru_cache(maxsize=4_096)
def is_regular_expression(text: str) -> bool:
    """Whether JavaScript would compile the text."""
    if len(text) > LONGEST:
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(_in_python(text))
    except re.error as error:
        return error.msg.startswith(PYTHONS_OWN_LIMITS)
    except _OnlyInPython:
        return False
    except (OverflowError, RecursionError):
        return True
    return True


def _in_python(text: str) -> str:
    written, in_class, before = list[str](), False, ""
    for match in TOKEN.finditer(text):
        token, last = match[0], before
        before = token
        if token[0] == "\\":
            written.append(_escape(token, in_class))
        elif in_class:
            # Python has meanings in store for [ & | ~ doubled, and no `-` after \w as ECMA-262 B.1.2 has it.
            is_literal = token[0] in "[&|~" or (token == "-" and last in CLASSES)
            written.append("\\" + token[0] + _closing(token) if is_literal else token)
            in_class = not token.endswith("]")
        elif token[0] == "[":
            in_class = not token.endswith("]")
            # ECMA-262 22.2.1: `[]` is a class of nothing, `[^]` one of everything.
            written.append({"[]": "(?!)", "[^]": r"[\s\S]"}.get(token, token))
        elif token == "(?" or (token == "+" and last in ("*", "+", "?")):
            # (?i), (?P<…>), (?>…), possessive a++.
            raise _OnlyInPython
        else:
            written.append("(?P<" if token == "(?<" else token)
    return "".join(written)


def _closing(token: str) -> str:
    return "".join(f"\\{one}" if one != "]" else one for one in token[1:])


def _escape(token: str, in_class: bool) -> str:
    kind = token[1:2]
    if token.startswith("\\k<"):
        return f"(?P={token[3:-1]})"
    if len(token) > 2:
        # \u{…} \p{…} \cX: one character, or a class of some.
        return r"\w"
    if kind in PLAIN_ESCAPES and not (in_class and kind == "B"):
        return token
    return re.escape(kind) if kind else token
