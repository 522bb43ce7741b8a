"""Everything a reader sees exists in Spanish, block by block."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import gettext, pgettext

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = ("platform/kernel", "platform/portal", "platform/sandbox", "identity", "catalogue", "interoperability")
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"**/templates/**.html": {"extensions": "jinja2.ext.do", "silent": "false"}}
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "in_context": ((1, "c"), 2),
}


def messages(block: str) -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    """The texts by which the block speaks to its reader, with place and context."""
    found = extract_from_dir(ROOT / block, METHODS, OPTIONS, keywords=KEYWORDS)
    for file, line, message, _comments, context in found:
        yield f"{block}/{file}:{line}", message, context


def spanish(block: str) -> Catalog:
    path = ROOT / block / "translations" / "es" / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return Catalog(locale="es")
    with path.open("rb") as source:
        return read_po(source, locale="es", abort_invalid=True)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_message_has_its_spanish(block: str) -> None:
    catalog = spanish(block)
    missing = []
    for where, message, context in messages(block):
        single = message if isinstance(message, str) else message[0]
        known = catalog.get(single, context)
        if known is None or known.fuzzy or not _is_complete(known.string):
            missing.append(f"{where} {single!r}")
    assert missing == []


@pytest.mark.parametrize("block", BLOCKS)
def test_every_translation_keeps_the_placeholders(block: str) -> None:
    wrong = [str(error) for message in spanish(block) if message.id for error in message.check()]
    assert wrong == []


def test_blocks_translate_the_same_text_in_the_same_way() -> None:
    """There is one table for all. English that means several things has a context: `in_context`, `pgettext`."""
    by_text: dict[tuple[str, str | None], dict[str, str]] = defaultdict(dict)
    for block in BLOCKS:
        for message in spanish(block):
            if message.id:
                by_text[str(message.id), message.context][block] = str(message.string)
    collisions = {text: said for text, said in by_text.items() if len(set(said.values())) > 1}
    assert collisions == {}


def test_a_text_with_a_context_is_told_by_its_context(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "es"}):
        assert gettext("Refused") == "Rechazada"
        assert pgettext("agreement", "Refused") == "Rechazado"


def _is_complete(translation: str | Collection[str] | None) -> bool:
    return bool(translation) and (isinstance(translation, str) or all(translation or ()))
