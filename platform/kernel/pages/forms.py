"""Forms of pages: a problem that the person can mend is told in the form, with what they typed still there."""

from __future__ import annotations

from collections.abc import Callable

from flask_babel import lazy_ngettext
from flask_wtf import FlaskForm
from wtforms import Field
from wtforms.form import BaseForm
from wtforms.validators import ValidationError

from kernel.base.errors import Problem, Text, TooMany, _
from kernel.base.text import fault_of_line, fault_of_lines

_WRITE = _("Write something here.")
_CHOOSE = _("Choose one of the options offered.")
_NUMBER = _("Write a number.")
_DATE = _("Write a date such as 2026-03-01.")
_STALE = _("This form is no longer valid. Reload the page and send it again.")
WORDS: dict[str, Text] = {
    "This field is required.": _WRITE,
    "Invalid input.": _("This is not in the expected format."),
    "Invalid email address.": _("Write an e-mail address such as name@example.cl."),
    "Invalid URL.": _("Write a full address, such as https://example.cl/."),
    "Invalid IP address.": _("Write an IP address."),
    "Invalid Mac address.": _("Write a MAC address."),
    "Invalid UUID.": _("Write a UUID."),
    "Invalid field name '%s'.": _WRITE,
    "Field must be equal to %(other_name)s.": _("The two are not the same."),
    "Field must be between %(min)d and %(max)d characters long.": _("Write from %(min)s to %(max)s characters."),
    "Number must be at least %(min)s.": _("Write a number of at least %(min)s."),
    "Number must be at most %(max)s.": _("Write a number of at most %(max)s."),
    "Number must be between %(min)s and %(max)s.": _("Write a number from %(min)s to %(max)s."),
    "Date must be at least %(min)s.": _("Write a date no earlier than %(min)s."),
    "Date must be at most %(max)s.": _("Write a date no later than %(max)s."),
    "Date must be between %(min)s and %(max)s.": _("Write a date from %(min)s to %(max)s."),
    "Invalid value, must be one of: %(values)s.": _CHOOSE,
    "Invalid value, can't be any of: %(values)s.": _("This value is not accepted."),
    "Invalid Choice: could not coerce.": _CHOOSE,
    "Choices cannot be None.": _CHOOSE,
    "Not a valid choice.": _CHOOSE,
    "Invalid choice(s): one or more data inputs could not be coerced.": _CHOOSE,
    "'%(value)s' is not a valid choice for this field.": _CHOOSE,
    "This field cannot be edited.": _("This cannot be changed here."),
    "This field is disabled and cannot have a value.": _("This cannot be changed here."),
    "Invalid CSRF Token.": _STALE,
    "CSRF token missing.": _STALE,
    "CSRF failed.": _STALE,
    "CSRF token expired.": _STALE,
    "Not a valid datetime value.": _("Write a date and time such as 2026-03-01 09:30."),
    "Not a valid date value.": _DATE,
    "Not a valid time value.": _("Write a time such as 09:30."),
    "Not a valid week value.": _("Write a week such as 2026-W10."),
    "Not a valid integer value.": _("Write a whole number."),
    "Not a valid decimal value.": _NUMBER,
    "Not a valid float value.": _NUMBER,
}
"""Sentences of our own for what WTForms would say; those that count are in `COUNTED`."""


def _least(count: int) -> Text:
    return lazy_ngettext("Write at least %(num)s character.", "Write at least %(num)s characters.", count)


def _most(count: int) -> Text:
    return lazy_ngettext("Write at most %(num)s character.", "Write at most %(num)s characters.", count)


def _exactly(count: int) -> Text:
    return lazy_ngettext("Write exactly %(num)s character.", "Write exactly %(num)s characters.", count)


COUNTED: dict[str, Callable[[int], Text]] = {
    "Field must be at least %(min)d character long.": _least,
    "Field cannot be longer than %(max)d character.": _most,
    "Field must be exactly %(max)d character long.": _exactly,
}


class OurWords:
    """Translations for WTForms; labels, which it makes of names, stay."""

    def gettext(self, text: str) -> str:
        return str(WORDS.get(text, text))

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        return str(COUNTED[singular](count)) if singular in COUNTED else self.gettext(singular)


class Form(FlaskForm):
    """A form of a page."""

    class Meta(FlaskForm.Meta):
        def get_translations(self, form: BaseForm) -> OurWords:
            return OurWords()


def one_line(_form: FlaskForm, field: Field) -> None:
    """Refuse, by its name, what does not belong in one line."""
    if fault := fault_of_line(field.data or ""):
        raise ValidationError(fault)


def some_lines(_form: FlaskForm, field: Field) -> None:
    """Refuse, by its name, what does not belong in several lines."""
    if fault := fault_of_lines(field.data or ""):
        raise ValidationError(fault)


def explain(form: FlaskForm, problem: Problem) -> None:
    """Put the problem's messages at the fields that they name, and what names no field of this form above them."""
    if isinstance(problem, TooMany):
        # Nothing in the form is wrong: whoever waits may send it as it is.
        form.pause = problem
        return
    is_explained = False
    for name, messages in problem.fields.items():
        if name in form:
            form[name].errors = [*form[name].errors, *messages]
            is_explained = True
    if not is_explained:
        loose = [message for messages in problem.fields.values() for message in messages]
        form.form_errors.extend(loose or [problem.detail or problem.title])
