"""Reads of counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select

from identity.brakes.models import SignInThrottle
from identity.brakes.rules import Counter

_COLUMNS = (SignInThrottle.key, SignInThrottle.failures, SignInThrottle.counted_at, SignInThrottle.allowed_at)
COUNTERS = (
    select(*(func.array_agg(column) for column in _COLUMNS))
    .where(SignInThrottle.key == any_(bindparam("keys", type_=ARRAY(Text))))
    .subquery()
)
"""The counters that there are of `keys`, as one row of arrays: to be read along with something else."""


def counters_of(arrays: Sequence[Any]) -> Mapping[str, Counter]:
    """What a row of `COUNTERS` says, by the counters' names."""
    names, *values = (array or () for array in arrays)
    return {name: Counter(*counter) for name, *counter in zip(names, *values, strict=True)}
