"""Parameters of a program's request."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import MultiDict

from identity.openid.rules import MAX_PARAMETER_CHARACTERS, MalformedRequest

MAX_TOKEN_CHARACTERS = 8_000
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
"""The second is none of RFC 6749's, but what many a client of ClaveÚnica sends."""


def check_is_form() -> None:
    """RFC 6749 3.2, appendix B: a program sends its parameters as a form. Raises MalformedRequest."""
    if request.mimetype not in FORMS and request.get_data():
        raise MalformedRequest("The request must be application/x-www-form-urlencoded.")


def token_parameter(form: MultiDict[str, str]) -> str:
    """The `token` of RFC 7009 2.1 and RFC 7662 2.1. Raises MalformedRequest."""
    check_once(form)
    return required(form, "token", MAX_TOKEN_CHARACTERS)


def check_once(form: MultiDict[str, str], *repeatable: str) -> None:
    """RFC 6749 3.2: parameters must not be included more than once. Raises MalformedRequest."""
    if any(len(values) > 1 for name, values in form.lists() if name not in repeatable):
        raise MalformedRequest("A parameter came more than once.")


def required(form: MultiDict[str, str], name: str, longest: int = MAX_PARAMETER_CHARACTERS) -> str:
    """A parameter that must be there; without a value it counts as left out. Raises MalformedRequest."""
    value = optional(form, name, longest)
    if value is None:
        raise MalformedRequest(f"The parameter {name} is missing.")
    return value


def optional(form: MultiDict[str, str], name: str, longest: int = MAX_PARAMETER_CHARACTERS) -> str | None:
    """Raises MalformedRequest for one that is too long."""
    value = form.get(name, "")
    if len(value) > longest:
        raise MalformedRequest(f"The parameter {name} is too long.")
    return value or None
