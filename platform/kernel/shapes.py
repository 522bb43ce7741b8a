"""What the JSON interface takes and gives, described once: text, whole numbers, bodies, lists and their pages.

Each field says in the OpenAPI document exactly what it checks, so that whoever keeps to the document is not refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from kernel.pagination import DEFAULT_LIMIT, MAX_LIMIT
from kernel.text import LINE, LINES, is_storable

CURSOR = r"[A-Za-z0-9_-]{1,1000}"
AGENCY_CODE = r"[A-Z]{2}[0-9]{3,5}"
EMAIL = r"[A-Za-z0-9_+-]{1,30}([.][A-Za-z0-9_+-]{1,30})?@[a-z0-9]{1,40}([.-][a-z0-9]{1,40}){0,3}[.][a-z]{2,20}"


class Matches(validate.Regexp):
    """The whole value has the pattern. Documented between `^` and `$`; Python's `$` would let a line break follow."""

    def __init__(self, pattern: str | re.Pattern[str], error: str | None = None) -> None:
        written = pattern if isinstance(pattern, str) else pattern.pattern
        super().__init__(f"^({written})$" if "|" in written else f"^{written}$", error=error)

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(str(self.regex.pattern), value) or not is_storable(value):
            raise ma.ValidationError(self._format_error(value))
        return value


def path(name: str, pattern: str | re.Pattern[str], description: str, example: str) -> dict[str, Any]:
    """A parameter of an address, for `Blueprint.route(..., parameters=[path(...)])`."""
    schema = {"type": "string", "pattern": Matches(pattern).regex.pattern}
    return {"in": "path", "name": name, "schema": schema, "description": description, "example": example}


def coded(pattern: str | re.Pattern[str], **more: Any) -> fields.String:
    """A code, a version, a digest: text that has the pattern."""
    return fields.String(validate=Matches(pattern), **{"required": True, **more})


def line(longest: int, shortest: int = 1, **more: Any) -> fields.String:
    """One line of text that says something: not only spaces, no control characters."""
    return _text(LINE, shortest, longest, **more)


def lines(longest: int, shortest: int = 1, **more: Any) -> fields.String:
    """The same, line breaks and tabs allowed."""
    return _text(LINES, shortest, longest, **more)


def _text(pattern: str, shortest: int, longest: int, **more: Any) -> fields.String:
    checks: list[Callable[[Any], Any]] = [validate.Length(shortest, longest), Matches(pattern)]
    return fields.String(validate=checks, **{"required": True, **more})


class Whole(fields.Integer):
    """A whole number in JSON, where 1.0 is one as well (JSON Schema 2020-12) and "1" is not."""

    def _validated(self, value: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not is_whole:
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Flag(fields.Boolean):
    """True or false as JSON has them; "yes" and 1 are neither."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Body(ma.Schema):
    """What a caller sends: a name that nobody knows is a mistake, not passed over."""

    class Meta:
        unknown = ma.RAISE


class Query(ma.Schema):
    """Parameters of an address; those that nobody knows are passed over."""

    class Meta:
        unknown = ma.EXCLUDE


def _absent() -> None:
    """Documented as "may be left out", which `None` as a default would not be."""


class ListQuery(Query):
    """What every list may be asked."""

    cursor = fields.String(
        load_default=_absent, validate=Matches(CURSOR), metadata={"description": "The `next` of the page before"}
    )
    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": "The most that a page has"},
    )


def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The shape of one page of a list of `item`."""
    described = {"description": "The cursor of the next page; null at the end"}
    return ma.Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(required=True, allow_none=True, metadata=described),
        },
        name=f"{item.__name__.removesuffix('Schema')}PageSchema",
    )
