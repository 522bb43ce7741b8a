"""Docstrings begin with what a thing is or does, and stand alone when their neighbours move."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from builders.source import ROOT, is_below, product_files, source_files, syntax_of

RELATIVE = re.compile(r"(What|Who|Whom|Whose|When|Where|Which|How|Whatever|Whoever|Whenever|Wherever|The same)\b")
MOST_WORDS = 25
"""Words before the first full stop: a reader takes in what a thing is at one glance."""
EXPLAINED = ("actions.py", "queries.py", "rules.py")


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every string that stands by itself: of modules, classes, functions, and below constants and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def explained_files() -> list[Path]:
    builders = [path for path in source_files(".py") if is_below(path, "tests/builders")]
    return product_files() + builders


def test_no_docstring_begins_with_a_relative_clause() -> None:
    relative = [
        f"{place(path, one)} {str(one.value).strip()[:60]}"
        for path in source_files(".py")
        for one in docstrings(syntax_of(path))
        if RELATIVE.match(str(one.value).strip())
    ]
    assert relative == []


def test_the_first_sentence_of_a_docstring_is_short() -> None:
    long = [
        f"{place(path, one)} {words} words"
        for path in explained_files()
        for one in docstrings(syntax_of(path))
        if (words := len(re.split(r"\.(?:\s|$)|\n\n", str(one.value).strip(), maxsplit=1)[0].split())) > MOST_WORDS
    ]
    assert long == []


def test_public_functions_of_actions_queries_and_rules_are_explained() -> None:
    bare = [
        f"{place(path, node)} {node.name}"
        for path in explained_files()
        if path.name.endswith(EXPLAINED)
        for node in syntax_of(path).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert bare == []
