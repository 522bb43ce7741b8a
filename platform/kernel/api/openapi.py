"""The document at `/api/v1/openapi.json`: what every operation shares is written here and not at each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernel.http.problems import BY_STATUS

PROBLEM = "application/problem+json"
METHODS = ("get", "put", "post", "patch", "delete")
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "string"}}}
CHALLENGE = {"WWW-Authenticate": {"description": "RFC 6750", "required": True, "schema": {"type": "string"}}}


def problem(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer that is an RFC 9457 problem."""
    content: dict[str, Any] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content} | ({"headers": headers} if headers else {})


SHARED = {
    "400": problem("The request is malformed"),
    "401": problem("The access token is missing, expired, revoked or meant for another place", CHALLENGE),
    "403": problem("The access token does not have the scope"),
    "404": problem("There is nothing here, or it is not yours to see"),
    "413": problem("The body is larger than allowed"),
    "415": problem("The body is of a type that is not accepted here"),
    "422": problem("Some of the data must be corrected: `errors` says what"),
    "429": problem("Too many requests", RETRY_AFTER),
    "5XX": problem("Something failed on our side; nothing was changed", RETRY_AFTER),
}


def complete(document: dict[str, Any], base_url: str, tags: dict[str, str]) -> dict[str, Any]:
    """The document with the shared answers at every operation, examples of problems, and the names that people read.

    tags: the human name of each group of operations.
    """
    document["servers"] = [{"url": base_url}]
    for path, operation in operations(document):
        operation["tags"] = [tags[tag] for tag in operation["tags"]]
        for parameter in operation.get("parameters", ()):
            # A form sends the boxes that were left empty as well (`kernel.api.api_fields.Query`).
            if parameter.get("in") == "query" and not parameter.get("required"):
                parameter["allowEmptyValue"] = True
        # The library's own answers come as references.
        own = {str(status): response for status, response in operation["responses"].items() if "$ref" not in response}
        answers = {**{status: SHARED[status] for status in _shared(path, operation)}, **own}
        operation["responses"] = {
            status: _with_example(answers[status], status, base_url) for status in sorted(answers)
        }
    for tag in document.get("tags", ()):
        tag["name"] = tags[tag["name"]]
    return document


def _with_example(answer: dict[str, Any], status: str, base_url: str) -> dict[str, Any]:
    kind = BY_STATUS.get(int(status) if status.isdigit() else 503)
    if kind is None or PROBLEM not in answer.get("content", {}):
        return answer
    example = {"type": f"{base_url}/problems/{kind.kind}", "title": str(kind.title), "status": kind.status}
    content = {PROBLEM: {**answer["content"][PROBLEM], "example": example}}
    return {**answer, "content": content}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its path."""
    for path, item in document["paths"].items():
        yield from ((path, item[method]) for method in METHODS if method in item)


def _shared(path: str, operation: dict[str, Any]) -> Iterator[str]:
    if operation["security"]:
        yield "401"
    if operation["security"] and {} not in operation["security"]:
        yield "403"
    if "{" in path:
        yield "404"
    if "requestBody" in operation:
        yield from ("400", "413", "415")
    if "requestBody" in operation or operation.get("parameters"):
        yield "422"
    yield from ("429", "5XX")
