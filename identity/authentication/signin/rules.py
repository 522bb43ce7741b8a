"""Signing in: how long a person may look for their code, and on whose behalf they come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SECOND_FACTOR_WAIT = timedelta(minutes=10)
"""The time that a person has for finding their telephone after the password."""


@dataclass(frozen=True)
class SignInPurpose:
    """The application on whose behalf somebody signs in: its name, and the RUN that it expects, if it says so.

    is_for_device: it is on a device whose code the person has not typed yet, and so not known by name.
    """

    application: str
    run: str | None
    is_for_device: bool = False
