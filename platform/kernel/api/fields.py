"""Fields of the JSON interface: marshmallow's, with sentences of our own in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow as ma
from marshmallow import fields

from kernel.base.errors import Text, _
from kernel.base.text import with_plain_breaks

if TYPE_CHECKING:
    AnyList = fields.List[Any]
else:
    AnyList = fields.List

Field = fields.Field
AN_OBJECT = _("Write an object here: names and values between braces.")
NO_SUCH_FIELD = _("There is no field with this name.")
_LACKS = {"required": _("This is required."), "null": _("This may not be null.")}
_A_MOMENT = _("Write a date and time with its offset, such as 2026-03-01T09:30:00-03:00.")


class Explained:
    """A field that says what it takes, in one sentence: `expected`."""

    expected: Text

    def make_error(self, key: str, **_shown: Any) -> ma.ValidationError:
        return ma.ValidationError(str(_LACKS.get(key, self.expected)))


class String(Explained, fields.String):
    expected = _("Write text here.")


class Lines(String):
    """Text of several lines, kept with plain line breaks however they came."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        # After the checks: the lengths that the interface's document names count the text as it came.
        text = super().deserialize(value, *args, **kwargs)
        return with_plain_breaks(text) if isinstance(text, str) else text


class Integer(Explained, fields.Integer):
    expected = _("Write a whole number.")


class Whole(Integer):
    """A whole number in JSON, where 1.0 is one as well (JSON Schema 2020-12) and "1" is not."""

    def _validated(self, value: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not is_whole:
            raise self.make_error("invalid")
        return super()._validated(value)


class Boolean(Explained, fields.Boolean):
    """True or false as JSON has them; "yes" and 1 are neither."""

    expected = _("Write true or false.")

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class List(Explained, AnyList):
    expected = _("Write a list here.")


class Dict(Explained, fields.Dict):
    expected = AN_OBJECT


class Nested(Explained, fields.Nested):
    expected = AN_OBJECT


class Date(Explained, fields.Date):
    expected = _("Write a date such as 2026-03-01.")


class DateTime(Explained, fields.DateTime):
    expected = _A_MOMENT


class AwareDateTime(Explained, fields.AwareDateTime):
    expected = _A_MOMENT
