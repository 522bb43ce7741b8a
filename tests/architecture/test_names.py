"""Names are nouns, verbs or questions: a participle says what happened to a thing, and not what it is."""

import ast
from collections.abc import Iterator

from builders.source import ROOT, product_files, syntax_of

PARTICIPLES = {"asked", "found", "kept", "told", "said", "shown"}


def names(node: ast.AST) -> Iterator[str | None]:
    """The names that a node gives or reads. Keywords of calls are named where the function is, or are data."""
    if not isinstance(node, ast.keyword):
        yield from (getattr(node, part, None) for part in ("id", "arg", "attr", "name", "asname"))


def test_no_name_is_a_participle() -> None:
    participles = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}"
        for path in product_files()
        for node in ast.walk(syntax_of(path))
        for name in names(node)
        if name in PARTICIPLES
    ]
    assert participles == []
