"""Pages that are the same for everybody who is not signed in, but for a few values: rendered once, filled in each time.

A page is kept for each language and appearance. Where a value goes there is a mark that nobody can guess, so that the
text is cut at the marks once and only joined again for each request.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from urllib.parse import quote_plus

from flask import current_app, g, session
from markupsafe import escape

from kernel.access import current_principal
from kernel.forgery import form_token
from kernel.i18n import chosen_language
from kernel.layout import Frame, chosen_scheme
from kernel.security import csp_nonce

Pieces = Sequence[str]
"""Text and names of values by turns: text first, and text last."""
UNQUOTED = "!$'()*,/:;?@"
"""What `url_for` leaves as it is in a query."""
AROUND = ("csrf_token", "csp_nonce", "here")
"""What the layout and every form put in by themselves, out of `flask.g`."""


def standing(render: Callable[..., str]) -> Callable[..., str]:
    """Keep what a function renders. It takes its values as strings by name, and puts them into text and attributes."""

    @wraps(render)
    def filled(**values: str) -> str:
        if current_principal().kind != "anonymous" or "_flashes" in session:
            return render(**values)
        kept: dict[object, Pieces] = current_app.extensions.setdefault("cordillera.standing", {})
        given = frozenset(name for name, value in values.items() if value)
        key = (render, chosen_language(), chosen_scheme(), given)
        if key not in kept:
            kept[key] = _cut(render, values)
        return _joined(kept[key], {**values, "csrf_token": form_token(), "csp_nonce": csp_nonce(), "here": _here()})

    return filled


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


def _here() -> str:
    """The address to come back to, as it stands in the query of the layout's links."""
    return quote_plus(Frame().here, safe=UNQUOTED)
