"""Fields of the JSON interface, described once for both directions: text, whole numbers, bodies, lists and their pages.

Each field says in the OpenAPI document exactly what it checks, so that whoever keeps to the document is not refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import marshmallow as ma

from kernel.api import fields, validators
from kernel.api.validators import Matches
from kernel.base.errors import Text, _
from kernel.base.text import LINE, LINES
from kernel.database.pagination import DEFAULT_LIMIT, MAX_LIMIT

Checks = list[Callable[[Any], Any]]
CURSOR = r"[A-Za-z0-9_-]{1,1000}"
AGENCY_CODE = r"[A-Z]{2}[0-9]{3,5}"
AN_EMAIL = _("Write an e-mail address such as name@example.cl.")
AN_AGENCY_CODE = _("Write the code of an agency, such as AE001.")
ONE_LINE = _("Write one line of text, without control characters.")
SAY_SOMETHING = _("Write something here: spaces alone are not enough.")


def path(name: str, pattern: str | re.Pattern[str], description: str, example: str) -> dict[str, Any]:
    """A parameter of an address, for `Blueprint.route(..., parameters=[path(...)])`."""
    schema = {"type": "string", "pattern": Matches(pattern, "").regex.pattern}
    return {"in": "path", "name": name, "schema": schema, "description": description, "example": example}


def coded(pattern: str | re.Pattern[str], expected: Text, **more: Any) -> fields.String:
    """A code, a version, a digest: text that has the pattern. expected: a sentence that says what to write."""
    return fields.String(validate=Matches(pattern, expected), **{"required": True, **more})


def line(longest: int, shortest: int = 1, **more: Any) -> fields.String:
    """One line of text that says something: not only spaces, no control characters."""
    checks: Checks = [validators.Length(shortest, longest), validators.one_line, Matches(LINE, SAY_SOMETHING)]
    return fields.String(validate=checks, **{"required": True, **more})


def lines(longest: int, shortest: int = 1, **more: Any) -> fields.String:
    """A field of text of several lines: line breaks and tabs allowed."""
    checks: Checks = [validators.Length(shortest, longest), validators.some_lines, Matches(LINES, SAY_SOMETHING)]
    return fields.Lines(validate=checks, **{"required": True, **more})


class Schema(ma.Schema):
    """A shape with sentences of our own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages = {"type": fields.AN_OBJECT, "unknown": fields.NO_SUCH_FIELD}


class Body(Schema):
    """The JSON that a caller sends; a name that nobody knows is a mistake, not passed over."""

    class Meta:
        unknown = ma.RAISE


class Query(Schema):
    """Parameters of an address; unknown ones are passed over. So are those that say nothing: a form sends the boxes
    that were left empty as well (`?q=&kind=`).
    """

    class Meta:
        unknown = ma.EXCLUDE

    @ma.pre_load
    def without_empty(self, given: Any, **_more: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {name: given[name] for name in given if given[name] not in ("", [], [""])}


def _absent() -> None:
    """Documented as "may be left out", which `None` as a default would not be."""


class ListQuery(Query):
    """Parameters that every list takes."""

    cursor = fields.String(
        load_default=_absent,
        validate=Matches(CURSOR, _("Use the `next` of the previous page.")),
        metadata={"description": "The `next` of the page before"},
    )
    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validators.Range(1, MAX_LIMIT),
        metadata={"description": "The most entries that a page has"},
    )


def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The shape of one page of a list of `item`."""
    described = {"description": "The cursor of the next page; null at the end"}
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next": fields.String(required=True, allow_none=True, metadata=described),
        },
        name=f"{item.__name__.removesuffix('Schema')}PageSchema",
    )
