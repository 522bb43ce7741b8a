"""A standard as a table, and a document held against it.

A table says of each kind of object one member a line: its name, `!` where it is needed, and what it is:

    text flag number whole positive any      a plain value; `whole` is 0 or more
    =a|b                                     one of these words
    Name, Name?                              an object of that kind; with `?`, or a Reference Object
    [x] [x]+ [x]!                            a list; with at least one; each once
    {x} {key:x}                              a mapping of names to x; its names as the rule `key` allows
    ...                                      further members, as JSON Schema has it

Members that begin with `x-` may stand everywhere (Specification Extensions) and are nobody's business, and so is
what stands in examples, defaults and enumerations: a `$ref` there is a literal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from catalogue.openapi_documents.findings import MOST_WARNINGS, Fault, Place

Check = Callable[["Walk", Any], None]
Names = Mapping[str, tuple[str, re.Pattern[str]]]
"""Rules of a mapping's names: the code of the fault, and what they have to match."""
EXTENSIBLE = ("path", "status", "expression")
"""The rules of mappings in which `x-` begins an extension rather than a name."""

WARNED = ("component-name-3.0",)
"""The rules whose breach is only warned of."""


@dataclass(frozen=True)
class Reference:
    """A `$ref` that the standard reads as one: where it stands, what it says, and the kind of object expected there."""

    place: Place
    target: str
    kind: str
    base: str
    """The address that it is relative to, where a schema (`$id`) or the document (`$self`) has one of its own."""


@dataclass
class Walk:
    """A document being held against its standard: where we are in it, and what was noticed on the way."""

    is_lenient: bool = False
    """Whether members that the standard does not know are left out with a warning rather than refused."""
    path: list[str] = field(default_factory=list)
    warnings: list[tuple[str, Place, dict[str, object]]] = field(default_factory=list)
    further_warnings: int = 0
    references: list[Reference] = field(default_factory=list)
    base: str = ""
    resources: dict[str, Any] = field(default_factory=dict)
    """The schemas that have an address (`$id`), by it; and below `address#name` those that have a name (`$anchor`)."""
    has_other_dialect: bool = False
    patterns_left: int = 2_000
    """The number of regular expressions still compiled: each takes a thousand times as long as its letters."""

    def into(self, name: str, check: Check, value: Any) -> None:
        self.path.append(name)
        check(self, value)
        self.path.pop()

    def deeper(self, names: Place, check: Check, value: Any) -> None:
        """Several steps at once."""
        self.path.extend(names)
        check(self, value)
        del self.path[-len(names) :]

    def fail(self, code: str, *further: str, **values: object) -> NoReturn:
        raise Fault(code, (*self.path, *further), None, **values)

    def expected(self, kind: str, value: Any) -> NoReturn:
        self.fail("kind", expected=f"kind:{kind}", actual=f"kind:{kind_of(value)}")

    def warn(self, code: str, *further: str, **values: object) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append((code, (*self.path, *further), values))
        else:
            self.further_warnings += 1

    def unknown(self, name: str, is_known_later: bool) -> None:
        if not self.is_lenient:
            self.fail("unknown", name, name=name)
        self.warn("taken-over" if is_known_later else "left-out", name, name=name)

    def refer(self, target: Any, kind: str, member: str = "$ref") -> None:
        self.into(member, _text, target)
        self.references.append(Reference((*self.path, member), target, kind, self.base))


Rule = Callable[[Walk, dict[str, Any]], None]


@dataclass(frozen=True)
class Kind:
    """A kind of object: its members, those it has to have, and what no table can say of it."""

    members: Mapping[str, Check]
    needed: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    is_open: bool = False
    known_later: frozenset[str] = frozenset()
    """Members that a later standard knows."""

    def __call__(self, walk: Walk, node: Any) -> None:
        if not isinstance(node, dict):
            walk.expected("mapping", node)
        for name in self.needed:
            if name not in node:
                walk.fail("missing", name=name)
        for name, value in node.items():
            check = self.members.get(name)
            if check is not None:
                walk.into(name, check, value)
            elif not name.startswith("x-") and not self.is_open:
                walk.unknown(name, name in self.known_later)
        for rule in self.rules:
            rule(walk, node)


def kinds(
    table: Mapping[str, str],
    rules: Mapping[str, Iterable[Rule]],
    names: Names,
    special: Mapping[str, Callable[[Check], Check]] | None = None,
    known_later: Mapping[str, frozenset[str]] | None = None,
) -> dict[str, Check]:
    """The kinds of a table. special: how the check of a kind is made out of that of its table."""
    made: dict[str, Check] = {}
    for kind, text in table.items():
        if text.startswith("{"):
            made[kind] = _check(text, made, names)
            continue
        lines = [line.split() for line in text.splitlines() if line.strip()]
        members = {name.rstrip("!"): _check(what, made, names) for name, what in lines}
        needed = tuple(name.rstrip("!") for name, _what in lines if name.endswith("!"))
        made[kind] = Kind(
            members, needed, tuple(rules.get(kind, ())), "..." in members, (known_later or {}).get(kind, frozenset())
        )
    for kind, wrapped in (special or {}).items():
        made[kind] = wrapped(made[kind])
    return made


def _check(what: str, made: Mapping[str, Check], names: Names) -> Check:
    if what in PLAIN:
        return PLAIN[what]
    if what.startswith("="):
        return _one_of(tuple(what[1:].split("|")))
    if what.startswith("["):
        inner, _bracket, marks = what[1:].rpartition("]")
        return _list_of(_check(inner, made, names), needs_one="+" in marks, is_set="!" in marks)
    if what.startswith("{"):
        key, _colon, inner = what[1:-1].rpartition(":")
        return _mapping_of(_check(inner, made, names), names.get(key), is_extensible=key in EXTENSIBLE)
    if what.endswith("?"):
        return or_reference(what[:-1], made)
    if what == "SchemaOrFlag":
        # OAS 3.0.3, Schema Object: `additionalProperties`.
        schema = or_reference("Schema", made)
        return lambda walk, node: None if isinstance(node, bool) else schema(walk, node)
    return lambda walk, node: made[what](walk, node)


def _text(walk: Walk, node: Any) -> None:
    if not isinstance(node, str):
        walk.expected("text", node)


def _flag(walk: Walk, node: Any) -> None:
    if not isinstance(node, bool):
        walk.expected("flag", node)


def _number(walk: Walk, node: Any) -> None:
    if not isinstance(node, int | float) or isinstance(node, bool):
        walk.expected("number", node)


def _whole(walk: Walk, node: Any) -> None:
    # JSON knows one kind of number: 1.0 is whole.
    if isinstance(node, bool) or not (isinstance(node, int) or (isinstance(node, float) and node.is_integer())):
        walk.expected("whole", node)
    if node < 0:
        walk.fail("below", least=0)


def _positive(walk: Walk, node: Any) -> None:
    _number(walk, node)
    if node <= 0:
        walk.fail("not-above")


def anything(_walk: Walk, _node: Any) -> None:
    """A literal, whatever it is."""


PLAIN: dict[str, Check] = {
    "text": _text,
    "flag": _flag,
    "number": _number,
    "whole": _whole,
    "positive": _positive,
    "any": anything,
}


def _one_of(words: tuple[str, ...]) -> Check:
    def check(walk: Walk, node: Any) -> None:
        if node not in words or not isinstance(node, str):
            walk.fail("one-of", value=in_json(node), allowed=", ".join(words))

    return check


def _list_of(inner: Check, *, needs_one: bool, is_set: bool) -> Check:
    def check(walk: Walk, node: Any) -> None:
        if not isinstance(node, list):
            walk.expected("list", node)
        if needs_one and not node:
            walk.fail("few")
        for number, value in enumerate(node):
            walk.into(str(number), inner, value)
        if is_set:
            seen = set[str]()
            for number, value in enumerate(node):
                if (written := in_json(value)) in seen:
                    walk.fail("duplicate", str(number), value=written)
                seen.add(written)

    return check


def _mapping_of(inner: Check, names: tuple[str, re.Pattern[str]] | None, *, is_extensible: bool) -> Check:
    is_only_warned = names is not None and names[0] in WARNED

    def check(walk: Walk, node: Any) -> None:
        if not isinstance(node, dict):
            walk.expected("mapping", node)
        for name, value in node.items():
            if is_extensible and name.startswith("x-"):
                continue
            if names is not None and not names[1].fullmatch(name):
                (walk.warn if is_only_warned else walk.fail)(names[0], name, name=name)
            walk.into(name, inner, value)

    return check


def or_reference(kind: str, made: Mapping[str, Check]) -> Check:
    """An object of the kind, or a Reference Object."""

    def check(walk: Walk, node: Any) -> None:
        if isinstance(node, dict) and "$ref" in node:
            # OAS 3.0.3, Reference Object: what stands beside `$ref` is ignored.
            walk.refer(node["$ref"], kind)
        else:
            made[kind](walk, node)

    return check


def kind_of(value: Any) -> str:
    """The kind of a JSON value, in words for sentences."""
    by_type = {str: "text", bool: "flag", int: "number", float: "number", list: "list", dict: "mapping"}
    return by_type.get(type(value), "nothing")


def in_json(value: Any) -> str:
    """A value as JSON writes it, the text of a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
