"""Parameters of a program's request."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from identity.openid.rules import MAX_PARAMETER_CHARACTERS, MalformedRequest
from kernel.http.incoming import Incoming

MAX_TOKEN_CHARACTERS = 8_000
MOST_VALUES = 20
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
"""The second is none of RFC 6749's, but what many a client of ClaveÚnica sends."""
Form = MultiDict[str, str]


def check_is_form(incoming: Incoming) -> None:
    """RFC 6749 3.2, appendix B: a program sends its parameters as a form. Raises MalformedRequest."""
    if incoming.mimetype not in FORMS and incoming.body:
        raise MalformedRequest("The request must be application/x-www-form-urlencoded.")


def token_parameter(incoming: Incoming) -> str:
    """The `token` of RFC 7009 2.1 and RFC 7662 2.1. Raises MalformedRequest."""
    check_duplicate_parameters(incoming)
    return required(incoming.form, "token", MAX_TOKEN_CHARACTERS)


def check_duplicate_parameters(incoming: Incoming, *repeatable: str) -> None:
    """RFC 6749 3.2: parameters must not be included more than once. Raises MalformedRequest."""
    if incoming.repeated.difference(repeatable):
        raise MalformedRequest("A parameter came more than once.")


def required(form: Form, name: str, longest: int = MAX_PARAMETER_CHARACTERS) -> str:
    """A parameter that must be there; without a value it counts as left out. Raises MalformedRequest."""
    value = optional(form, name, longest)
    if value is None:
        raise MalformedRequest(f"The parameter {name} is missing.")
    return value


def optional(form: Form, name: str, longest: int = MAX_PARAMETER_CHARACTERS) -> str | None:
    """Raises MalformedRequest for one that is too long."""
    value = form.get(name, "")
    if len(value) > longest:
        raise MalformedRequest(f"The parameter {name} is too long.")
    return value or None


def several(form: Form, name: str) -> list[str]:
    """The values of a parameter that may come more than once, such as `resource` (RFC 8707 2), each of them once.

    Raises MalformedRequest.
    """
    values = [value for value in form.getlist(name) if value]
    if len(values) > MOST_VALUES or any(len(value) > MAX_PARAMETER_CHARACTERS for value in values):
        raise MalformedRequest(f"The parameter {name} is too long or comes too often.")
    return list(dict.fromkeys(values))
