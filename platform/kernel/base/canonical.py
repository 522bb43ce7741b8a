"""JSON that has one meaning. It is read so that nobody reads it otherwise (RFC 7493), and written in the one form in
which it is hashed and signed (RFC 8785).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785

from kernel.base.errors import Text, _

LONGEST_TOLD = 100


class TwoMeanings(ValueError):
    """A text that some read as other JSON than we do, or that is none; `told` says why, in a sentence."""

    def __init__(self, message: Text) -> None:
        super().__init__("JSON of two meanings")
        self.message = message


def read_json(text: str | bytes) -> Any:
    """Read JSON of any type. Raises TwoMeanings where an object names a member twice, or a number is none; ValueError
    for what is no JSON, and RecursionError for what is nested without an end.
    """
    # RFC 8259 4: of a member that is there twice, some take the first, some the last, some both. RFC 7493 2.3 has none.
    return json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise TwoMeanings(_("An object in the JSON has “%(name)s” twice: write it once.", name=twice[:LONGEST_TOLD]))
    return members


def _no_number(name: str) -> Any:
    # RFC 8259 6: there is no such number in JSON, although Python reads it.
    raise TwoMeanings(_("JSON has no number %(name)s.", name=name))


_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
_EXACT = 2**53


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """Raises ValueError for what JSON has no form for, such as an integer that is not exact in JavaScript."""
    # Without numbers that JavaScript writes in its own way, and names that it sorts in its own order, the standard
    # library writes the same, several times as fast.
    return _ENCODER.encode(value).encode() if _is_plain(value) else rfc8785.dumps(dict(value))


def _is_plain(value: Any) -> bool:
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        return -_EXACT < value < _EXACT
    if isinstance(value, list | tuple):
        return _are_plain(value)
    return isinstance(value, dict) and all(map(_is_plain_name, value)) and _are_plain(value.values())


def _are_plain(values: Iterable[Any]) -> bool:
    # Nearly all are texts: they are not worth a call each.
    return all(_is_plain(value) for value in values if type(value) is not str)


def _is_plain_name(name: Any) -> bool:
    return isinstance(name, str) and name.isascii()
