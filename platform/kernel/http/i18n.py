"""Languages: Spanish first and English, out of the `.po` files of every block; dates and numbers as in Chile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, current_app, g, has_request_context, request
from flask_babel import Babel, Domain, force_locale, get_locale, refresh
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from kernel.http.duties import only_behind_flask

LANGUAGES = {"es": "Español", "en": "English"}
LOCALES = {"es": "es_CL", "en": "en_GB"}
LANGUAGE_COOKIE = "language"
REQUESTED = "requested_language"


class PoDomain(Domain):
    """Messages read straight from the `.po` files at start, so that no compiled file can be stale or forgotten."""

    def __init__(self, directories: list[Path]) -> None:
        super().__init__(translation_directories=[str(directory) for directory in directories])
        self._by_language: dict[str, NullTranslations] = {
            language: _merged(directories, language) for language in LANGUAGES
        }

    def get_translations(self) -> NullTranslations:
        """Messages in the language of this request; English, the source, where there is none."""
        locale = get_locale()
        return self._by_language[locale.language if locale else "en"]


class _PoBabel(Babel):
    def __init__(self, domain: PoDomain) -> None:
        super().__init__()
        self.domain_instance = domain


def _merged(directories: list[Path], language: str) -> NullTranslations:
    merged = Translations()
    for directory in directories:
        path = directory / language / "LC_MESSAGES" / "messages.po"
        if path.exists():
            merged.merge(_read(path))
            merged.plural = _plural
    return merged


def _plural(count: float | Decimal) -> int:
    """The plural form of a count, the same in Spanish and English."""
    return int(count != 1)


def _read(path: Path) -> Translations:
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return Translations(compiled)


def chosen_language() -> str:
    """The reader's language: the switch, then the application's wish, then the browser, then Spanish."""
    if not has_request_context():
        return "es"
    if (chosen := request.cookies.get(LANGUAGE_COOKIE)) in LANGUAGES:
        return str(chosen)
    requested = g.get(REQUESTED) or _first_known(request.args.get("ui_locales"))
    if requested is None and REQUESTED not in g and (cookie := request.cookies.get(REQUESTED)) in LANGUAGES:
        requested = cookie
    return requested or preferred_language(request.headers.get("Accept-Language", ""))


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Put texts into this language in the block, and not into that of the request."""
    with force_locale(LOCALES.get(language, LOCALES["es"])):
        yield


def request_language(ui_locales: str | None) -> None:
    """Show this page and those that follow in an application's language; a sign-in has many pages, and only the first
    brings the wish along. None ends the wish of an application before.
    """
    setattr(g, REQUESTED, _first_known(ui_locales))
    refresh()


def _first_known(ui_locales: str | None) -> str | None:
    """OpenID Connect Core 3.1.2.1: languages separated by spaces, preferred first."""
    tags = (tag.lower().split("-")[0] for tag in (ui_locales or "").split())
    return next((language for language in tags if language in LANGUAGES), None)


@only_behind_flask("only pages are followed by others in the same language")
def _keep_requested(response: Response) -> Response:
    """In a cookie that goes with the browser's window."""
    if wish := g.get(REQUESTED):
        secure = current_app.config["SESSION_COOKIE_SECURE"]
        response.set_cookie(REQUESTED, wish, secure=secure, httponly=True, samesite="Lax")
    elif REQUESTED in g and REQUESTED in request.cookies:
        response.delete_cookie(REQUESTED)
    return response


@lru_cache(maxsize=1024)
def preferred_language(accepted: str) -> str:
    """Choose the language that the browser prefers (RFC 9110 12.5.4), Spanish if it does not say."""
    return parse_accept_header(accepted, LanguageAccept).best_match(list(LANGUAGES), default="es") or "es"


def _chosen_locale() -> str:
    return LOCALES[chosen_language()]


@only_behind_flask("what programs are told is in English")
def _vary_with_language(response: Response) -> Response:
    if response.mimetype in ("text/html", "application/problem+json"):
        response.headers.add("Vary", "Accept-Language, Cookie")
    return response


def install_i18n(app: Flask, translation_directories: list[Path]) -> None:
    """Translate with every block's catalogue; each directory holds `<language>/LC_MESSAGES/messages.po`."""
    _PoBabel(PoDomain(translation_directories)).init_app(
        app,
        default_locale=LOCALES["es"],
        default_timezone="America/Santiago",
        locale_selector=_chosen_locale,
    )
    app.after_request(_vary_with_language)
    app.after_request(_keep_requested)
