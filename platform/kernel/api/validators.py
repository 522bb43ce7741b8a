"""Validators of the JSON interface: marshmallow's, which the OpenAPI document reads, with sentences of our own in the
reader's language.
"""

from __future__ import annotations

import re
from collections.abc import Sized
from typing import Any

from flask_babel import gettext, ngettext
from marshmallow import ValidationError, validate

from kernel.base.errors import Text
from kernel.base.text import fault_of_line, fault_of_lines, is_storable


class Matches(validate.Regexp):
    """The whole value has the pattern. Documented between `^` and `$`; Python's `$` would let a line break follow.

    expected: a sentence that says what to write, for a pattern tells it to nobody.
    """

    def __init__(self, pattern: str | re.Pattern[str], expected: Text) -> None:
        written = pattern if isinstance(pattern, str) else pattern.pattern
        super().__init__(f"^({written})$" if "|" in written else f"^{written}$")
        self.expected = expected

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(str(self.regex.pattern), value) or not is_storable(value):
            raise ValidationError(str(self.expected))
        return value


def one_line(text: str) -> None:
    """Refuse, by its name, what does not belong in one line."""
    _refuse(fault_of_line(text))


def some_lines(text: str) -> None:
    """Refuse, by its name, what does not belong in several lines."""
    _refuse(fault_of_lines(text))


def _refuse(fault: Text | None) -> None:
    if fault is not None:
        raise ValidationError(str(fault))


class OneOf(validate.OneOf):
    """One of the choices."""

    def _format_error(self, value: Any) -> str:
        # None among the choices is what may be left out.
        choices = ", ".join(str(choice) for choice in self.choices if choice is not None)
        return str(gettext("Write one of these: %(choices)s.", choices=choices))


class Range(validate.Range):
    """A number between two bounds, which belong to it."""

    def __init__(self, min: int | None = None, max: int | None = None) -> None:
        super().__init__(min, max)

    def _format_error(self, value: Any, message: str) -> str:
        if self.max is None:
            sentence = gettext("Write a number of at least %(min)s.", min=self.min)
        elif self.min is None:
            sentence = gettext("Write a number of at most %(max)s.", max=self.max)
        else:
            sentence = gettext("Write a number from %(min)s to %(max)s.", min=self.min, max=self.max)
        return str(sentence)


class Length(validate.Length):
    """So many characters of a text, or entries of a list."""

    def __init__(self, min: int | None = None, max: int | None = None) -> None:
        super().__init__(min, max)

    def _format_error(self, value: Sized, message: str) -> str:
        least, most = self.min or 0, self.max
        if isinstance(value, str):
            if most is None:
                sentence = ngettext("Write at least %(num)s character.", "Write at least %(num)s characters.", least)
            elif least and len(value) < least:
                sentence = gettext("Write from %(min)s to %(max)s characters.", min=least, max=most)
            else:
                sentence = ngettext("Write at most %(num)s character.", "Write at most %(num)s characters.", most)
        elif most is None:
            sentence = ngettext("Give at least %(num)s entry.", "Give at least %(num)s entries.", least)
        elif least and len(value) < least:
            sentence = gettext("Give from %(min)s to %(max)s entries.", min=least, max=most)
        else:
            sentence = ngettext("Give at most %(num)s entry.", "Give at most %(num)s entries.", most)
        return str(sentence)
