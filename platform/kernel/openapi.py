"""The document at `/api/v1/openapi.json`: what every operation shares is written here and not at each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PROBLEM = "application/problem+json"
METHODS = ("get", "put", "post", "patch", "delete")
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "string"}}}
CHALLENGE = {"WWW-Authenticate": {"description": "RFC 6750", "required": True, "schema": {"type": "string"}}}


def problem(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer that is an RFC 9457 problem."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


SHARED = {
    "BadRequest": problem("The request is malformed"),
    "SignInRequired": problem("The access token is missing, expired, revoked or meant for another place", CHALLENGE),
    "Forbidden": problem("The access token does not have the scope"),
    "NotFound": problem("There is nothing here, or it is not yours to see"),
    "TooLarge": problem("The body is beyond the limit"),
    "Invalid": problem("Something in the data has to be corrected: `errors` says what"),
    "TooMany": problem("Too many requests", RETRY_AFTER),
    "Failure": problem("Something failed on our side; nothing was changed", RETRY_AFTER),
}


def complete(document: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
    """The document with the shared answers at every operation, and the names that people read.

    tags: the human name of each group of operations.
    """
    document["components"]["responses"] = SHARED
    for path, operation in operations(document):
        operation["tags"] = [tags[tag] for tag in operation["tags"]]
        shared = {status: {"$ref": f"#/components/responses/{name}"} for status, name in _shared(path, operation)}
        # The library's own answers come as references.
        own = {str(status): said for status, said in operation["responses"].items() if "$ref" not in said}
        operation["responses"] = dict(sorted({**shared, **own}.items()))
    for tag in document.get("tags", ()):
        tag["name"] = tags[tag["name"]]
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its path."""
    for path, item in document["paths"].items():
        yield from ((path, item[method]) for method in METHODS if method in item)


def _shared(path: str, operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if operation["security"]:
        yield "401", "SignInRequired"
    if operation["security"] and {} not in operation["security"]:
        yield "403", "Forbidden"
    if "{" in path:
        yield "404", "NotFound"
    if "requestBody" in operation:
        yield "400", "BadRequest"
        yield "413", "TooLarge"
    if "requestBody" in operation or operation.get("parameters"):
        yield "422", "Invalid"
    yield "429", "TooMany"
    yield "5XX", "Failure"
