"""Languages: Spanish first and English, out of the `.po` files of every block; dates and numbers as in Chile."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, has_request_context, request
from flask_babel import Babel, Domain, get_locale
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

LANGUAGES = {"es": "Español", "en": "English"}
LOCALES = {"es": "es_CL", "en": "en_GB"}
LANGUAGE_COOKIE = "language"
VARIES = ("Vary", "Accept-Language, Cookie")


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
    """The reader's language: the switch, then OpenID Connect's `ui_locales`, then the browser, then Spanish."""
    if not has_request_context():
        return "es"
    if (chosen := request.cookies.get(LANGUAGE_COOKIE)) in LANGUAGES:
        return str(chosen)
    # OpenID Connect Core 3.1.2.1: ui_locales, languages separated by spaces, preferred first.
    for tag in request.args.get("ui_locales", "").split():
        if (language := tag.lower().split("-")[0]) in LANGUAGES:
            return language
    return preferred_language(request.headers.get("Accept-Language", ""))


@lru_cache(maxsize=1024)
def preferred_language(accepted: str) -> str:
    """What the browser would rather have (RFC 9110 12.5.4), Spanish if it does not say."""
    return parse_accept_header(accepted, LanguageAccept).best_match(list(LANGUAGES), default="es") or "es"


def _chosen_locale() -> str:
    return LOCALES[chosen_language()]


def _vary_with_language(response: Response) -> Response:
    if response.mimetype in ("text/html", "application/problem+json"):
        response.headers.add(*VARIES)
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
