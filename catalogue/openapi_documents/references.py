"""References lead only within the document, to something of the kind that is expected, and not in a circle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from catalogue.openapi_documents.findings import Fault, Place
from catalogue.openapi_documents.shapes import Check, Reference, Walk, or_reference

SECTIONS: Mapping[str, str] = {
    "Schema": "schemas",
    "Response": "responses",
    "Parameter": "parameters",
    "Example": "examples",
    "RequestBody": "requestBodies",
    "Header": "headers",
    "SecurityScheme": "securitySchemes",
    "Link": "links",
    "Callback": "callbacks",
    "PathItem": "pathItems",
    "MediaType": "mediaTypes",
}
"""The part of `components` in which things of a kind stand."""
SWAGGER_SECTIONS: Mapping[str, str] = {"Schema": "definitions", "Response": "responses", "Parameter": "parameters"}


LONGEST_ADDRESS = 2_000


class _Nowhere(Exception):
    """The reference leads to nothing in the document."""


@dataclass(frozen=True)
class Resolver:
    """Finds what references of a document lead to. Nothing is ever fetched."""

    data: dict[str, Any]
    resources: Mapping[str, Any]
    own_address: str = ""

    def find(self, target: str, base: str = "") -> tuple[Place | None, Any]:
        """The target of a reference, and its place where it is known. Raises Fault `elsewhere` or `dangling`."""
        try:
            address, fragment = urldefrag(urljoin(base, target))
        except ValueError:
            raise Fault("elsewhere", reference=target) from None
        is_whole = address == self.own_address or (target.startswith("#") and address not in self.resources)
        resource = self.data if is_whole else self.resources.get(address)
        if resource is None:
            raise Fault("elsewhere", reference=target)
        try:
            if fragment and not fragment.startswith("/"):
                return None, self.resources[f"{address}#{unquote(fragment)}"]
            steps = steps_of(fragment)
            return (steps if is_whole else None), _at(resource, steps)
        except (_Nowhere, KeyError):
            raise Fault("dangling", reference=target) from None

    def follow(self, node: Any) -> dict[str, Any]:
        """The thing itself, behind a reference or several; an empty mapping where there is none."""
        for _hop in range(20):
            if not isinstance(node, dict):
                return {}
            if not isinstance(node.get("$ref"), str):
                return node
            try:
                node = self.find(node["$ref"], self.own_address)[1]
            except Fault:
                return {}
        return {}


def resolver(data: dict[str, Any], walk: Walk) -> Resolver:
    """The finder for a document that was walked through."""
    return Resolver(data, walk.resources, urldefrag(str(data.get("$self", ""))[:LONGEST_ADDRESS])[0])


def steps_of(fragment: str) -> Place:
    """RFC 6901 6: a JSON Pointer as it stands in an address."""
    return tuple(unquote(step).replace("~1", "/").replace("~0", "~") for step in fragment.split("/")[1:])


def check_references(walk: Walk, find: Resolver, sections: Mapping[str, str], kinds: Mapping[str, Check]) -> None:
    """Look where every reference leads. Raises Fault at the first that leads to nothing of use.

    What stands where the standard looks at nothing, as in an extension, is held against it once something refers there.
    """
    leads_to: dict[Place, tuple[Place | None, Reference]] = {}
    looked_at = set[tuple[Place, str]]()
    for reference in walk.references:  # which grows by those in what is looked at
        try:
            place, target = find.find(reference.target, reference.base or find.own_address)
        except Fault as fault:
            raise Fault(fault.code, reference.place, reference=reference.target) from None
        leads_to[reference.place[:-1]] = place, reference
        is_other = place is not None and _section(place, sections) not in (None, sections.get(reference.kind))
        if is_other or not isinstance(target, dict | bool):
            raise Fault("other-kind", reference.place, reference=reference.target)
        if place is not None and not _has_a_name(place, sections) and (place, reference.kind) not in looked_at:
            looked_at.add((place, reference.kind))
            walk.path[:] = place
            or_reference(reference.kind, kinds)(walk, target)
            walk.path.clear()
    _refuse_circles(leads_to)


def _has_a_name(place: Place, sections: Mapping[str, str]) -> bool:
    """Whether the place was looked at as what it is: a component, or a path."""
    return _section(place, sections) is not None or (len(place) == 2 and place[0] == "paths" and place[1][:1] == "/")


def _section(place: Place, sections: Mapping[str, str]) -> str | None:
    """The part of the document in which what has a name of its own stands; None for everything else."""
    within = place[1:] if place[:1] == ("components",) else place
    return within[0] if len(within) == 2 and within[0] in sections.values() else None


def _refuse_circles(leads_to: Mapping[Place, tuple[Place | None, Reference]]) -> None:
    """A reference to a reference is one to what that leads to, which has to be something in the end."""
    sound = set[Place]()
    for start in leads_to:
        way, here = dict[Place, None](), start
        while here in leads_to and here not in sound:
            way[here] = None
            further, reference = leads_to[here]
            if further is None:
                break
            if further in way:
                raise Fault("circle", reference.place, reference=reference.target)
            here = further
        sound.update(way)


def _at(node: Any, steps: Place) -> Any:
    for step in steps:
        if isinstance(node, dict) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdecimal() and step.isascii() and int(step) < len(node):
            node = node[int(step)]
        else:
            raise _Nowhere
    return node
