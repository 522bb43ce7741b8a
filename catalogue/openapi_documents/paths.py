"""Paths and their operations: what no table can say of them, and the list that people see of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from catalogue.openapi_documents.findings import Fault, Place
from catalogue.openapi_documents.openapi_tables import METHODS
from catalogue.openapi_documents.references import Resolver
from catalogue.openapi_documents.shapes import Walk

TEMPLATE = re.compile(r"\{([^{}]*)\}")
LONGEST_SUMMARY = 300
MAX_OPERATIONS = 50_000
"""More than fit into the largest document, unless paths refer to one another."""
Operation = tuple[str, Place, dict[str, Any]]
"""Its method as it goes over the wire, where it is told below the path item, and the operation."""


def operations_of(item: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations of a path item, in its order; those of 3.2 with methods of their own as well."""
    for name, value in item.items():
        if name in (*METHODS, "query") and isinstance(value, dict):
            yield name.upper(), (name,), value
        elif name == "additionalOperations" and isinstance(value, dict):
            # OAS 3.2.0, Path Item Object: the key is the method, spelled as it is sent.
            yield from ((method, (name, method), one) for method, one in value.items() if isinstance(one, dict))


def items_of(data: Mapping[str, Any], find: Resolver) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each path with what stands there, wherever it is described."""
    for path, item in (data.get("paths") or {}).items():
        if not path.startswith("x-"):
            target = find.follow(item)
            # OAS 3.0.3, Path Item Object: what stands beside `$ref` is of it too.
            yield path, {**target, **item}


def list_operations(data: Mapping[str, Any], find: Resolver) -> Iterator[dict[str, str]]:
    """Method, path and summary of each operation, in the document's order."""
    for path, item in items_of(data, find):
        for method, _place, operation in operations_of(item):
            summary = operation.get("summary") or operation.get("description") or item.get("summary") or ""
            yield {"method": method, "path": one_line_of(path), "summary": one_line_of(summary)}


def one_line_of(value: Any, longest: int = LONGEST_SUMMARY) -> str:
    """One line of text that the database can keep."""
    return " ".join(str(value or "").replace("\x00", "").encode(errors="replace").decode().split())[:longest]


def check_paths(data: Mapping[str, Any], find: Resolver, walk: Walk) -> None:
    """Hold paths and the parameters in them against each other. Raises Fault.

    A lenient walk only warns of a path's parameters that nothing describes: whoever converts the document adds them.
    """
    known, count = dict[str, str](), 0
    for path, item in items_of(data, find):
        count += len(item)
        if count > MAX_OPERATIONS:
            raise Fault("too-many-operations", count=MAX_OPERATIONS)
        # OAS 3.0.3, Paths Object: same hierarchy, other names: identical, so one of them would never be reached.
        shape = TEMPLATE.sub("{}", path)
        if shape in known:
            raise Fault("same-path", ("paths", path), path=path, other=known[shape])
        known[shape] = path
        walk.path[:] = ["paths", path]
        _check_parameters(path, item, find, walk)
    walk.path.clear()


def _check_parameters(path: str, item: Mapping[str, Any], find: Resolver, walk: Walk) -> None:
    names = TEMPLATE.findall(path)
    in_template = {*names, *(name.rstrip("+*") for name in names)}
    of_item = _in_path(item, find, walk, (), in_template)
    for _method, place, operation in operations_of(item):
        described = of_item | _in_path(operation, find, walk, place, in_template)
        for name in names:
            if is_described(name, described):
                continue
            # OAS 3.0.3, Path Templating: each expression MUST correspond to a parameter.
            if not walk.is_lenient:
                walk.fail("undeclared", *place, name=name)
            walk.warn("declared-now", *place, name=name)


def is_described(name: str, described: set[str]) -> bool:
    """Whether a name of the template has a parameter. Gateways write `{proxy+}` for the parameter `proxy`."""
    return name in described or name.rstrip("+*") in described


def _in_path(holder: Mapping[str, Any], find: Resolver, walk: Walk, place: Place, in_template: set[str]) -> set[str]:
    """The names of the holder's parameters that are in the path."""
    seen, names = set[tuple[str, str]](), set[str]()
    for number, given in enumerate(holder.get("parameters", ())):
        parameter = find.follow(given)
        name, where = parameter.get("name"), parameter.get("in")
        if not isinstance(name, str) or not isinstance(where, str):
            continue
        # RFC 9110 5.1: names of header fields do not distinguish between small and capital letters.
        key = (name.lower() if where == "header" else name, where)
        at = (*place, "parameters", str(number))
        if key in seen:
            walk.fail("parameter-twice", *at, name=name, where=where)
        seen.add(key)
        if where == "path":
            if name not in in_template:
                walk.fail("not-in-path", *at, name=name)
            names.add(name)
    return names


def warn_of_names(data: Mapping[str, Any], find: Resolver, walk: Walk, schemes: Mapping[str, Any]) -> None:
    """Names that should be unique, or described, and without which every call still is what it is."""
    identifiers = set[str]()
    _warn_of_schemes(data, walk, (), schemes)
    for path, item in items_of(data, find):
        if "$ref" in item:
            continue
        for _method, place, operation in operations_of(item):
            at: Place = ("paths", path, *place)
            identifier = operation.get("operationId")
            if isinstance(identifier, str):
                if identifier in identifiers:
                    walk.warn("same-operation", *at, "operationId", name=identifier)
                identifiers.add(identifier)
            _warn_of_schemes(operation, walk, at, schemes)
    tags = set[str]()
    for number, tag in enumerate(data.get("tags", ())):
        if tag["name"] in tags:
            walk.warn("same-tag", "tags", str(number), name=tag["name"])
        tags.add(tag["name"])


def _warn_of_schemes(holder: Mapping[str, Any], walk: Walk, place: Place, schemes: Mapping[str, Any]) -> None:
    for number, requirement in enumerate(holder.get("security", ())):
        for name in requirement:
            # OAS 3.2.0, Security Requirement Object: it may also be the address of a scheme.
            if name not in schemes and "/" not in name and "#" not in name:
                walk.warn("unknown-scheme", *place, "security", str(number), name=name)
