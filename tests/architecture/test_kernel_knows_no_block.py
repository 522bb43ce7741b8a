"""The kernel names nothing that a block brings: what it has to know of it is handed in (`kernel.composition`)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from identity.officials.rules import AUTHORITY, all_functions
from kernel.base.roles import ROLES
from kernel.composition import COMPOSITION
from kernel.database.db import Base
from portal.capabilities import LAYERS, blocks, capabilities

KERNEL = Path(__file__).resolve().parents[2] / "platform/kernel"
KERNELS_OWN_PATHS = {"", "api", "health", "metrics"}
KERNELS_OWN_WORDS = {"person", "agency", "developer", "acting_for", "head"}
"""Of `Principal` and `Party`, who acts and for whom; and the newest revision of the tables, as Alembic calls it."""


def literals() -> Iterator[tuple[str, int, str]]:
    """Every text in the kernel's code but docstrings: file, line, text."""
    for path in sorted(KERNEL.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # A text that stands alone is a docstring, also one of a constant.
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield str(path.relative_to(KERNEL)), node.lineno, node.value


@pytest.fixture
def brought(app: Flask) -> dict[str, set[str]]:
    """Everything that the blocks bring, kind by kind."""
    installation = COMPOSITION.of(app)
    modules = [*LAYERS, *(capability for block in blocks() for capability in capabilities(block))]
    views = {
        rule.endpoint: rule.rule
        for rule in app.url_map.iter_rules()
        if app.view_functions[rule.endpoint].__module__.split(".")[0] in blocks()
    }
    paths = {path.split("/")[1].split("<")[0] for path in views.values()}
    return {
        "block, wing or capability": {module.rpartition(".")[2] for module in modules} | set(modules),
        "endpoint": {*views, *(endpoint.partition(".")[0] for endpoint in views)},
        "path": {f"/{path}" for path in paths - KERNELS_OWN_PATHS},
        "purpose": set(installation.rotated_purposes),
        "role": {*all_functions(ROLES.of(app)), AUTHORITY} - KERNELS_OWN_WORDS,
        "scope": set(installation.machine_scopes),
        "table": {
            mapper.class_.__tablename__
            for mapper in Base.registry.mappers
            if mapper.class_.__module__.split(".")[0] in blocks()
        }
        - KERNELS_OWN_WORDS,
    }


def test_no_text_in_the_kernel_is_a_word_of_a_block(brought: dict[str, set[str]]) -> None:
    found = [
        f"{file}:{line}: {text!r} is a {kind}"
        for file, line, text in literals()
        for kind, words in brought.items()
        if text.strip("/") in words or text in words
    ]
    assert found == [], "\n".join(found)


def test_no_text_in_the_kernel_has_a_path_of_a_block_in_it(brought: dict[str, set[str]]) -> None:
    assert len(brought["path"]) > 10
    any_path = re.compile(rf"(?<![\w.])({'|'.join(map(re.escape, brought['path']))})(?![\w-])")
    assert [f"{file}:{line}: {text!r}" for file, line, text in literals() if any_path.search(text)] == []


def test_no_text_in_the_kernel_begins_with_a_block(brought: dict[str, set[str]]) -> None:
    """As the names of settings, tags, slots and metrics do."""
    words = "|".join(sorted(brought["block, wing or capability"], key=len))
    begins = re.compile(rf"({words})[_.:]\w+", re.IGNORECASE)
    found = [one for one in literals() if begins.fullmatch(one[2]) and one[2] not in KERNELS_OWN_WORDS]
    assert found == [], found
