"""Slots: what an application keeps for as long as it lives, one typed place for each thing.

An application of Flask's has a dictionary for it, whose keys are strings and whose values are anything. A slot is such
a key with its type, declared once beside what it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from flask import current_app
from flask.sansio.app import App

T = TypeVar("T")


class Slot(Generic[T]):
    """One place of each application.

    name: unique in the house. make: makes what is kept, the first time that it is asked for, within the application's
    context; without it the slot has to be filled while the application is put together.
    """

    def __init__(self, name: str, make: Callable[[], T] | None = None) -> None:
        self._key = f"cordillera.{name}"
        self._make = make

    def __call__(self) -> T:
        """Return the current application's value. Raises LookupError where nothing was filled in."""
        return self.of(current_app)

    def of(self, app: App) -> T:
        """Return an application's value. Raises LookupError where nothing was filled in."""
        extensions = app.extensions
        if self._key not in extensions:
            if self._make is None:
                raise LookupError(f"nothing was put into {self._key}")
            # Of two threads that come at once both go on with what the first one made.
            extensions.setdefault(self._key, self._make())
        return cast(T, extensions[self._key])

    def fill(self, app: App, value: T) -> T:
        """Keep this from now on; returns it."""
        app.extensions[self._key] = value
        return value

    def is_filled(self, app: App) -> bool:
        return self._key in app.extensions

    def empty(self, app: App) -> None:
        """Keep nothing any more."""
        app.extensions.pop(self._key, None)
