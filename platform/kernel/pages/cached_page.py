"""Pages that are the same for everybody who is not signed in, but for a few values: rendered once, filled in each time.

A page is kept for each language and appearance. Where a value goes there is a mark that nobody can guess, so that the
text is cut at the marks once and only joined again for each request.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Hashable, Mapping, Sequence
from urllib.parse import quote_plus

from flask import g, session
from markupsafe import escape

from kernel.base.slots import Slot
from kernel.http.csrf import form_token
from kernel.http.i18n import chosen_language, preferred_language
from kernel.http.security import csp_nonce
from kernel.jobs.access import current_principal
from kernel.pages.layout import DEFAULT_SCHEME, Frame, chosen_scheme

Pieces = Sequence[str]
"""Text and names of values by turns: text first, and text last."""
UNQUOTED = "!$'()*,/:;?@"
"""What `url_for` leaves as it is in a query."""
AROUND = ("csrf_token", "csp_nonce", "here")
"""What the layout and every form put in by themselves, out of `flask.g`."""


class CachedPage:
    """Keep what a function renders. It takes its values as strings by name, and puts them into text and attributes."""

    def __init__(self, render: Callable[..., str]) -> None:
        self._render = render

    def __call__(self, **values: str) -> str:
        """The page for the reader of this request."""
        if current_principal().kind != "anonymous" or "_flashes" in session:
            return self._render(**values)
        language, scheme, here = chosen_language(), chosen_scheme(), _in_query(Frame().here)
        key = self._key(language, scheme, values)
        if key not in _kept():
            _kept()[key] = _cut(self._render, values)
        return _joined(_kept()[key], {**values, "csrf_token": form_token(), "csp_nonce": csp_nonce(), "here": here})

    def for_stranger(self, here: str, accepted_languages: str, **values: str) -> str | None:
        """The page for a reader of whom no cookie is known, and whose forms need no token, at the path `here` with its
        query; None if it has not been rendered yet. Needs no request.
        """
        pieces = _kept().get(self._key(preferred_language(accepted_languages), DEFAULT_SCHEME, values))
        if pieces is None:
            return None
        return _joined(pieces, {**values, "csrf_token": "", "csp_nonce": csp_nonce(), "here": _in_query(here)})

    def _key(self, language: str, scheme: str, values: Mapping[str, str]) -> Hashable:
        return self._render, language, scheme, frozenset(name for name, value in values.items() if value)


PAGES: Slot[dict[Hashable, Pieces]] = Slot("cached_pages", dict)


def _kept() -> dict[Hashable, Pieces]:
    return PAGES()


def _cut(render: Callable[..., str], values: Mapping[str, str]) -> Pieces:
    marks = {name: f"mark{secrets.token_hex(16)}" for name in (*AROUND, *(name for name in values if values[name]))}
    nonce = csp_nonce()
    for name in AROUND:
        setattr(g, name, marks[name])
    try:
        page = render(**{name: marks.get(name, "") for name in values})
    finally:
        for name in AROUND:
            g.pop(name)
        g.csp_nonce = nonce
    names = {mark: name for name, mark in marks.items()}
    return [names.get(piece, piece) for piece in re.split(f"({'|'.join(names)})", page)]


def _joined(pieces: Pieces, values: Mapping[str, str]) -> str:
    return "".join(escape(values[piece]) if index % 2 else piece for index, piece in enumerate(pieces))


def _in_query(here: str) -> str:
    """The address to come back to, as it stands in the query of the layout's links."""
    return quote_plus(here, safe=UNQUOTED)
