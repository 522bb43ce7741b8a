"""JSON (RFC 8259; no name stands twice, as RFC 7493 2.3 has it): text to data, and a place to its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any, NoReturn

from catalogue.openapi_documents.findings import Fault, Place

MAX_DEPTH = 100
"""Deeper than any document that was met, and shallow enough for whoever reads it by recursion."""
STRING = r'"(?:[^"\\]|\\.)*+"?'
TOKEN = re.compile(STRING + r'|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
BRACKET = re.compile(STRING + r"|[{}\[\]]", re.DOTALL)
LONG_NUMBER = re.compile(r"[0-9]{4000,}")

REASONS = (
    ("Expecting property name", "json-name"),
    ("Illegal trailing comma", "json-name"),
    ("Expecting value", "json-value"),
    ("Expecting ':'", "json-colon"),
    ("Expecting ','", "json-comma"),
    ("Unterminated string", "json-quotes"),
    ("Invalid control character", "json-control"),
    ("Invalid \\", "json-escape"),
    ("Extra data", "json-rest"),
)
"""The beginnings of the reasons of Python's reader, and ours."""


class _Twice(ValueError):
    """A name stands twice in an object."""


class _NotFinite(ValueError):
    """NaN or Infinity, which Python's reader takes and RFC 8259 6 does not have."""


def read_json(text: str) -> Any:
    """The data of a JSON document. Raises Fault with the line."""
    depth = 0
    for bracket in BRACKET.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(bracket[0], 0)
        if depth > MAX_DEPTH:
            raise Fault("too-deep", line=_line(text, bracket.start()), count=MAX_DEPTH)
    try:
        return json.loads(text, object_pairs_hook=_members, parse_constant=_not_finite, parse_float=_finite)
    except json.JSONDecodeError as error:
        code = next((code for beginning, code in REASONS if error.msg.startswith(beginning)), "json-value")
        raise Fault(code, line=error.lineno) from None
    except _Twice:
        raise _twice(text) from None
    except _NotFinite as error:
        (value,) = error.args
        line = next(_line(text, token.start()) for token in TOKEN.finditer(text) if token[0] == value)
        raise Fault("not-finite", line=line, value=value) from None
    except ValueError:  # Python's own limit, against numbers that take for ever
        number = LONG_NUMBER.search(text)
        raise Fault("long-number", line=_line(text, number.start() if number else 0)) from None


def json_lines(text: str, wanted: Collection[Place]) -> dict[Place, int]:
    """The lines on which these places of a sound document begin."""
    looked_for, lines = set(wanted), dict[Place, int]()
    for place, offset in _places(text):
        if place in looked_for:
            lines[place] = _line(text, offset)
            if len(lines) == len(looked_for):
                break
    return lines


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Twice
    return members


def _not_finite(value: str) -> NoReturn:
    raise _NotFinite(value)


def _finite(written: str) -> float:
    """RFC 7493 2.2: what is larger than a double can be is read as infinity by most, and written so."""
    value = float(written)
    if math.isinf(value):
        raise _NotFinite(written)
    return value


def _twice(text: str) -> Fault:
    """The second of two equal names."""
    seen = set[Place]()
    for place, offset in _places(text):
        if place in seen:
            return Fault("twice", place, _line(text, offset), name=place[-1])
        seen.add(place)
    raise AssertionError("the reader found a name twice")


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Each member and element with its offset, those of a member being its name's."""
    stack: list[list[Any]] = []  # of each open bracket: its kind, the current name or number, whether a name comes next
    for token in TOKEN.finditer(text):
        word = token[0]
        if word in ("}", "]"):
            stack.pop()
        elif word == ":":
            stack[-1][2] = False
        elif word == ",":
            stack[-1][1:] = [stack[-1][1], True] if stack[-1][0] == "{" else [stack[-1][1] + 1, False]
        elif stack and stack[-1][0] == "{" and stack[-1][2]:
            stack[-1][1] = json.loads(word, strict=False)
            yield _place(stack), token.start()
        else:
            if stack and stack[-1][0] == "[":
                yield _place(stack), token.start()
            if word in ("{", "["):
                stack.append([word, 0, word == "{"])


def _place(stack: list[list[Any]]) -> Place:
    return tuple(str(level[1]) for level in stack)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
