"""Pages and the layout around them do not get into each other's way."""

from __future__ import annotations

import ast
from pathlib import Path

from flask import Flask
from jinja2 import nodes

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = ("platform/kernel", "platform/portal", "platform/sandbox", "identity", "catalogue", "interoperability")


def names_of_the_layout(app: Flask) -> set[str]:
    """The names that the layout sets for itself, and so hides from every page that is rendered in it."""
    source = (ROOT / "platform/kernel/pages/templates/layout.html").read_text(encoding="utf-8")
    return names_set_in(app.jinja_env.parse(source).body)


def names_set_in(body: list[nodes.Node]) -> set[str]:
    """The names that are set outside of loops and blocks, which have names of their own."""
    names = set()
    for node in body:
        if isinstance(node, nodes.Import):
            names.add(node.target)
        elif isinstance(node, nodes.Macro):
            names.add(node.name)
        elif isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
            names.add(node.target.name)
        elif isinstance(node, nodes.If):
            names |= names_set_in([*node.body, *node.elif_, *node.else_])
    return names


def test_no_view_hands_over_what_the_layout_hides(app: Flask) -> None:
    hidden = names_of_the_layout(app)
    assert {"ui", "who", "flashed"} <= hidden
    taken = []
    for block in BLOCKS:
        for path in (ROOT / block).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "render_template":
                    taken += [f"{path}: {one.arg}" for one in node.keywords if one.arg in hidden]
    assert taken == []
