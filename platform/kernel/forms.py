"""Forms of pages: a problem that the person can mend is told in the form, with what they typed still there."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import Field
from wtforms.validators import ValidationError

from kernel.errors import Problem, TooMany
from kernel.text import fault_of_line, fault_of_lines


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
    told = False
    for name, messages in problem.fields.items():
        if name in form:
            form[name].errors = [*form[name].errors, *messages]
            told = True
    if not told:
        loose = [message for messages in problem.fields.values() for message in messages]
        form.form_errors.extend(loose or [problem.detail or problem.title])
