"""YAML 1.2 with the values of its core schema (YAML 1.2.2 10.3; OAS 3 limits itself to what JSON knows): text to data.

libyaml cuts the text into events; what they mean is decided here: only JSON's kinds of values, no timestamps, names
that are text as it is written and stand once, aliases within a bound. Nothing recurses, whatever is sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from catalogue.openapi_documents.findings import Fault, Place
from catalogue.openapi_documents.json_text import MAX_DEPTH

MAX_ALIASED = 100_000
"""The number of values that aliases may stand for in all: a few lines of them could stand for gigabytes."""
MAX_DIGITS = 4_000
TAG = "tag:yaml.org,2002:"
MERGE = "<<"

INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

REASONS = (
    ("mapping values are not allowed", "yaml-mapping"),
    ("block sequence entries are not allowed", "yaml-indent"),
    ("block mapping entries are not allowed", "yaml-indent"),
    ("did not find expected key", "yaml-indent"),
    ("did not find expected '-' indicator", "yaml-indent"),
    ("did not find expected ',' or", "yaml-bracket"),
    ("could not find expected ':'", "yaml-colon"),
    ("found character that cannot start any token", "yaml-token"),
    ("found a tab character", "yaml-token"),
    ("found unexpected end of stream", "yaml-quotes"),
    ("found unexpected document indicator", "yaml-quotes"),
    ("found unknown escape character", "yaml-escape"),
    ("did not find expected hexdecimal number", "yaml-escape"),
    ("found invalid Unicode character escape", "yaml-escape"),
    ("found incompatible YAML document", "yaml-version"),
    ("found undefined tag handle", "yaml-tag"),
    ("did not find expected <document start>", "json-rest"),
    ("control characters are not allowed", "character"),
)
"""The beginnings of libyaml's reasons, and ours."""


@dataclass
class _Open:
    """A list or mapping whose end has not come."""

    value: Any
    anchor: str | None
    size: int = 1
    depth: int = 0
    """The depth of what it holds."""
    name: str | None = None
    merged: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Anchored:
    value: Any
    size: int
    depth: int


def read_yaml(text: str, note: Callable[[str, int], None]) -> Any:
    """The data of a YAML document. Raises Fault with the line.

    note: called with the code of a warning and its line.
    """
    try:
        return _Builder(note).build(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or ""
        code = next((code for beginning, code in REASONS if problem.startswith(beginning)), "yaml-other")
        raise Fault(code, line=mark.line + 1 if mark else 1, tag="!") from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position] if isinstance(error.position, int) else b""
        raise Fault("character", line=before.count(b"\n") + 1) from None


def yaml_lines(text: str, wanted: Collection[Place]) -> dict[Place, int]:
    """The lines on which these places of a sound document begin."""
    looked_for, lines = set(wanted), dict[Place, int]()
    for place, line in _places(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if place in looked_for and place not in lines:
            lines[place] = line
            if len(lines) == len(looked_for):
                break
    return lines


class _Builder:
    """Puts events together to data, one after the other."""

    def __init__(self, note: Callable[[str, int], None]) -> None:
        self.note = note
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored] = {}
        self.aliased = 0
        self.result: Any = None
        self.documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Any:
        for event in events:
            line = _line(event)
            if isinstance(event, yaml.ScalarEvent):
                self.scalar(event, line)
            elif isinstance(event, yaml.CollectionStartEvent):
                self.begin(event, line)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.end(line)
            elif isinstance(event, yaml.AliasEvent):
                self.alias(event.anchor or "", line)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise Fault("json-rest", line=line)
        return self.result

    def scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self.wants_name():
            # OAS 3.0.3, "Format": names are text (YAML's failsafe schema); `200` and `"200"` are one name.
            if event.anchor:
                self.anchors[event.anchor] = _Anchored(event.value, 1, 0)
            self.name(event.value, line, is_plain=event.implicit[0])
        else:
            value = _value(event, line)
            if event.anchor:
                self.anchors[event.anchor] = _Anchored(value, 1, 0)
            self.add(value, 1, 0, line)

    def begin(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if self.wants_name():
            raise Fault("yaml-key", line=line)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{TAG}{'map' if is_mapping else 'seq'}"):
            raise Fault("yaml-tag", line=line, tag=event.tag.replace(TAG, "!!"))
        if len(self.stack) >= MAX_DEPTH:
            raise Fault("too-deep", line=line, count=MAX_DEPTH)
        if event.anchor:
            self.anchors.pop(event.anchor, None)
        self.stack.append(_Open({} if is_mapping else [], event.anchor))

    def end(self, line: int) -> None:
        closed = self.stack.pop()
        for merged in closed.merged:
            closed.value.update({name: value for name, value in merged.items() if name not in closed.value})
        if closed.anchor:
            self.anchors[closed.anchor] = _Anchored(closed.value, closed.size, closed.depth + 1)
        self.add(closed.value, closed.size, closed.depth + 1, line)

    def alias(self, anchor: str, line: int) -> None:
        known = self.anchors.get(anchor)
        if known is None:
            is_circle = any(level.anchor == anchor for level in self.stack)
            raise Fault("yaml-circle" if is_circle else "yaml-anchor", line=line, name=anchor)
        self.aliased += known.size
        if self.aliased > MAX_ALIASED:
            raise Fault("yaml-aliases", line=line)
        if len(self.stack) + known.depth > MAX_DEPTH:
            raise Fault("too-deep", line=line, count=MAX_DEPTH)
        if not self.wants_name():
            self.add(known.value, known.size, known.depth, line)
        elif isinstance(known.value, str):
            self.name(known.value, line, is_plain=False)
        else:
            raise Fault("yaml-key", line=line)

    def wants_name(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].name is None

    def name(self, name: str, line: int, *, is_plain: bool) -> None:
        level = self.stack[-1]
        # YAML 1.2.2 3.2.1.3: the keys of a mapping are unique.
        if name in level.value:
            raise Fault("twice", line=line, name=name)
        level.name = name
        if name == MERGE and is_plain:
            self.note("merged", line)
        else:
            level.value[name] = None  # its place in the order, and taken

    def add(self, value: Any, size: int, depth: int, line: int) -> None:
        if not self.stack:
            self.result = value
            return
        level = self.stack[-1]
        level.size, level.depth = level.size + size, max(level.depth, depth)
        if isinstance(level.value, list):
            level.value.append(value)
        elif level.name == MERGE and MERGE not in level.value:
            self.merge(level, value, line)
        else:
            level.value[level.name] = value
        level.name = None

    def merge(self, level: _Open, value: Any, line: int) -> None:
        """A habit of YAML 1.1, still in use: what is written in the mapping itself goes before what is merged."""
        merged = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in merged):
            raise Fault("yaml-merge", line=line)
        level.merged.extend(merged)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _value(event: yaml.ScalarEvent, line: int) -> Any:
    if event.tag in (None, "!"):
        return _resolved(event.value, line) if event.implicit[0] else event.value
    kind = event.tag.removeprefix(TAG)
    if kind == "str":
        return event.value
    if kind not in ("null", "bool", "int", "float"):
        raise Fault("yaml-tag", line=line, tag=event.tag.replace(TAG, "!!"))
    value = _resolved(event.value, line)
    kinds: dict[str, tuple[type, ...]] = {"null": (type(None),), "bool": (bool,), "int": (int,), "float": (int, float)}
    if not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise Fault("yaml-value", line=line, value=event.value)
    return float(str(value)) if kind == "float" else value


def _resolved(plain: str, line: int) -> Any:
    """Give a text without quotes the value that YAML 1.2.2 10.3.2 (the core schema) gives it."""
    if plain in WORDS:
        return WORDS[plain]
    if plain[0] not in "+-.0123456789":
        return plain
    if NOT_FINITE.fullmatch(plain):
        raise Fault("not-finite", line=line, value=plain)
    for pattern, base in ((INTEGER, 10), (OCTAL, 8), (HEXADECIMAL, 16)):
        if pattern.fullmatch(plain):
            if len(plain) > MAX_DIGITS:
                raise Fault("long-number", line=line)
            return int(plain if base == 10 else plain[2:], base)
    if not FLOAT.fullmatch(plain):
        return plain
    if math.isinf(value := float(plain)):
        raise Fault("not-finite", line=line, value=plain)
    return value


def _places(events: Iterator[yaml.Event]) -> Iterator[tuple[Place, int]]:
    """Each member and element with its line, that of a member being its name's."""
    stack: list[list[Any]] = []  # of each open collection: whether it is a mapping, and the current name or number
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif not isinstance(event, yaml.NodeEvent):
            continue
        elif stack and stack[-1][0] and stack[-1][1] is None:
            stack[-1][1] = event.value if isinstance(event, yaml.ScalarEvent) else ""
            yield tuple(str(level[1]) for level in stack), _line(event)
            continue
        else:
            if stack and not stack[-1][0]:
                stack[-1][1] += 1
                yield tuple(str(level[1]) for level in stack), _line(event)
            if isinstance(event, yaml.CollectionStartEvent):
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                stack.append([is_mapping, None if is_mapping else -1])
                continue
        if stack and stack[-1][0]:
            stack[-1][1] = None
