"""Canonical JSON is in the one form of RFC 8785, whichever way it was written."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kernel.base.canonical import canonical_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.dictionaries(
    st.text(), st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)


def expected(value: dict[str, Any]) -> bytes | None:
    try:
        return rfc8785.dumps(value)
    except ValueError:
        return None


def written(value: dict[str, Any]) -> bytes | None:
    try:
        return canonical_json(value)
    except ValueError:
        return None


@pytest.mark.slow
@given(VALUES)
def test_it_writes_what_the_standard_says(value: dict[str, Any]) -> None:
    assert written(value) == expected(value)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1.0},
        {"a": 1e21},
        {"a": -0.0},
        {"a": 2**53},
        {"a": True},
        {"\U0001f600": 1, "\uffff": 2},
        {"é": 1, "z": 2},
        {"a": '\x00\x1f\x7f\u2028"\\/é\U0001f600'},
        {"b": [{}, [], None], "a": ""},
        {"a": float("inf")},
        {"a": "\ud800"},
    ],
    ids=repr,
)
def test_where_javascript_has_ways_of_its_own_so_have_we(value: dict[str, Any]) -> None:
    assert written(value) == expected(value)
