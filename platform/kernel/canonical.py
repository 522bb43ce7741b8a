"""JSON in the one form in which it is hashed and signed (RFC 8785)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785

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
