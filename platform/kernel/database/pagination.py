"""Lists: one keyset cursor for all of them, an upper limit, `{"items": [...], "next": ...}` and `Link`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, jsonify, request
from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from kernel.base.errors import Invalid, _
from kernel.base.installation import own_address

T = TypeVar("T")
DEFAULT_LIMIT = 25
MAX_LIMIT = 100


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows and the cursor of what follows, None at the end."""

    items: Sequence[T]
    next: str | None

    def as_json(self, show: Callable[[T], Any]) -> Response:
        """The page as an answer of the API, each row shown by `show`."""
        response = jsonify(items=[show(item) for item in self.items], next=self.next)
        if self.next:
            query = urlencode({**request.args.to_dict(), "cursor": self.next})
            response.headers["Link"] = f'<{own_address(request.path)}?{query}>; rel="next"'
        return response


def page(
    session: Session,
    query: Select[T],
    keys: Sequence[InstrumentedAttribute[Any]],
    *,
    cursor: str | None = None,
    limit: int | None = None,
    descending: bool = True,
) -> Page[T]:
    """One page of `query` in the order of `keys`, which together are unique.

    Raises Invalid when the cursor is not one that we gave, or the limit is not between 1 and 100.
    """
    return _page(session.scalars, query, keys, cursor, limit, descending=descending)


def page_of_rows(
    session: Session,
    query: Select[Any],
    keys: Sequence[ColumnElement[Any]],
    *,
    cursor: str | None = None,
    limit: int | None = None,
    descending: bool = True,
) -> Page[Any]:
    """One page of a query of several columns, as `page` gives it."""
    return _page(session.execute, query, keys, cursor, limit, descending=descending)


def _page(
    fetch: Callable[[Select[Any]], Any],
    query: Select[Any],
    keys: Sequence[Any],
    cursor: str | None,
    limit: int | None,
    *,
    descending: bool,
) -> Page[Any]:
    size = DEFAULT_LIMIT if limit is None else limit
    if not 1 <= size <= MAX_LIMIT:
        raise Invalid(fields={"limit": [_("A number from 1 to 100.")]})
    if cursor:
        after = tuple_(*keys), tuple_(*_decode(cursor, keys))
        query = query.where(after[0] < after[1] if descending else after[0] > after[1])
    order = [key.desc() if descending else key.asc() for key in keys]
    rows = fetch(query.order_by(*order).limit(size + 1)).all()
    more = len(rows) > size
    return Page(rows[:size], _encode(rows[size - 1], keys) if more else None)


def _encode(row: object, keys: Sequence[Any]) -> str:
    values = [_plain(getattr(row, key.key)) for key in keys]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _decode(cursor: str, keys: Sequence[Any]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(keys):
            raise ValueError("another list's cursor")
        return [_typed(value, key.type.python_type) for value, key in zip(values, keys, strict=True)]
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise Invalid(fields={"cursor": [_("Use the cursor of the last answer as it came.")]}) from error


def _typed(value: Any, kind: type[Any]) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is UUID:
        return UUID(str(value))
    if kind is str and "\x00" in value:
        raise ValueError("null byte")
    if kind is int and not -(2**63) <= value < 2**63:
        raise ValueError("out of range")
    if not isinstance(value, kind):
        raise TypeError("another type")
    return value
