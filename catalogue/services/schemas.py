"""Shapes of services: OpenAPI documents coming in, and JSON both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import yaml
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from openapi_spec_validator.schemas import schema_v30, schema_v31, schema_v32

from catalogue.services.rules import (
    BASE_URL,
    DESCRIPTION_LENGTH,
    LONGEST_SEARCH,
    NAME_LENGTH,
    URL_LENGTH,
    VERSION,
    Document,
    Kind,
    Obligation,
    Status,
)
from kernel import fields, validate
from kernel.errors import Invalid, _
from kernel.shapes import (
    AGENCY_CODE,
    AN_AGENCY_CODE,
    AN_EMAIL,
    EMAIL,
    ONE_LINE,
    Body,
    ListQuery,
    Schema,
    coded,
    line,
    lines,
)
from kernel.text import LINE
from kernel.validate import Matches

MAX_DOCUMENT_BYTES = 1024 * 1024
# Together with the bytes these bound the time that reading a document takes to a few seconds.
MAX_ELEMENTS = 20_000
MAX_DEPTH = 60
MAX_OPERATIONS = 500

A_VERSION = _("Write the name of a version, such as v1.")
A_BASE_URL = _("Write a public address that begins with https://, without a query or a fragment.")

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
SCHEMAS = {"3.0": schema_v30, "3.1": schema_v31, "3.2": schema_v32}


class DocumentRefused(Invalid):
    """The OpenAPI document does not parse, or is not one."""

    kind = "openapi-document-refused"
    title = _("The OpenAPI document has a mistake")
    explanation = _(
        "The document does not parse, or does not say what the OpenAPI standard asks for. "
        "The line and the reason are given."
    )
    remedy = _("Correct the document at the place named, for example in an OpenAPI editor, and send it again.")

    def __init__(self, reason: Any) -> None:
        super().__init__(reason, fields={"openapi": [reason]})


def read_openapi(content: bytes) -> Document:
    """An OpenAPI 3.0, 3.1 or 3.2 document in JSON or YAML. Raises DocumentRefused with the line and the reason."""
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DocumentRefused(_("The document is larger than 1 MB."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DocumentRefused(_("Line %(line)s: the document is not text in UTF-8.", line=line)) from None
    if "\x00" in text:
        raise DocumentRefused(_("The document has null characters: it is not text."))
    is_json = text.lstrip().startswith("{")
    try:
        data = _from_json(text) if is_json else _from_yaml(text)
        _refuse_unsound(data)
        _refuse_by_standard(data, text)
    except RecursionError:
        raise DocumentRefused(_("The document is nested too deeply.")) from None
    return Document(
        text=text,
        media_type="application/json" if is_json else "application/yaml",
        title=_plain(data["info"].get("title"), 200),
        operations=tuple(_operations(data)),
    )


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _unreadable(error.lineno, error.msg) from None
    except ValueError:  # a number of thousands of digits
        raise _unreadable(1, _("a number is too long")) from None


def _from_yaml(text: str) -> Any:
    try:
        _refuse_harmful_yaml(text)
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _unreadable(mark.line + 1 if mark else 1, (error.problem or "")[:300]) from None
    except yaml.YAMLError:
        raise _unreadable(1, _("there is a character that YAML does not allow")) from None
    except (ValueError, TypeError):  # a date such as 2026-13-45, a list as a key
        raise _unreadable(1, _("a date, a number or a key is not a valid one")) from None


def _refuse_harmful_yaml(text: str) -> None:
    """Look at the events one by one and stop at the first that does harm: building what they say may take for ever."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        line = event.start_mark.line + 1 if event.start_mark else 1
        # An alias lets a few lines stand for gigabytes.
        if isinstance(event, yaml.AliasEvent):
            raise _unreadable(line, _("aliases (*name) are not accepted"))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise DocumentRefused(_("The document is nested too deeply."))
        if count > 3 * MAX_ELEMENTS:
            raise DocumentRefused(_("The document has more than %(count)s elements.", count=MAX_ELEMENTS))


def _unreadable(line: int, reason: Any) -> DocumentRefused:
    return DocumentRefused(_("Line %(line)s: the document cannot be read (%(reason)s).", line=line, reason=reason))


def _walk(data: Any) -> Iterator[tuple[Any, int]]:
    waiting: list[tuple[Any, int]] = [(data, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if isinstance(node, dict):
            waiting.extend((value, depth + 1) for value in node.values())
        elif isinstance(node, list):
            waiting.extend((value, depth + 1) for value in node)


def _refuse_unsound(data: Any) -> None:
    """What the standard allows but this house does not: enormous documents, and references to elsewhere."""
    if not isinstance(data, dict):
        raise DocumentRefused(_("Line 1: this is not an OpenAPI document."))
    for count, (node, depth) in enumerate(_walk(data)):
        if count > MAX_ELEMENTS:
            raise DocumentRefused(_("The document has more than %(count)s elements.", count=MAX_ELEMENTS))
        if depth > MAX_DEPTH:
            raise DocumentRefused(_("The document is nested too deeply."))
        if not isinstance(node, dict):
            continue
        if not all(isinstance(key, (str, int)) for key in node):
            raise DocumentRefused(_("A name in the document is neither text nor a number."))
        # Following a reference would make this server read files and call addresses of the document's choice.
        reference = node.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            elsewhere = reference[:200]
            raise DocumentRefused(
                _("The document refers to “%(reference)s”: bring everything into one file.", reference=elsewhere)
            )


@cache
def _validator(line: str) -> Validator:
    schema = dict(SCHEMAS[line])
    return validator_for(schema)(schema)


def _refuse_by_standard(data: dict[Any, Any], text: str) -> None:
    """Hold the document against the standard's own schema. References are not followed: that may take for ever."""
    line = str(data.get("openapi", ""))[:3]
    if line not in SCHEMAS:
        raise DocumentRefused(_("Line 1: the document has to begin with “openapi: 3.0”, 3.1 or 3.2."))
    # YAML reads `200:` as a number, and the standard wants text there.
    error = best_match(_validator(line).iter_errors(_with_text_keys(data)))
    if error is not None:
        place = [str(step) for step in error.absolute_path]
        raise DocumentRefused(
            _(
                "Line %(line)s, at %(place)s: %(reason)s",
                line=_line_of(text, place),
                place=" › ".join(place) or "/",
                reason=_short(error),
            )
        )


def _short(error: ValidationError) -> Any:
    """The validator's words without the part of the document that it repeats; the commonest ones translated."""
    if error.validator in ("anyOf", "oneOf"):
        return _("this is none of the forms that the standard allows here.")
    if error.validator == "required":
        needed, present = list(cast(list[str], error.validator_value)), cast(dict[str, Any], error.instance)
        missing = [name for name in needed if name not in present]
        return _("“%(name)s” is missing.", name=", ".join(missing))
    return error.message if len(error.message) <= 200 else f"{error.message[:100]} … {error.message[-90:]}"


def _with_text_keys(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _with_text_keys(value) for key, value in node.items()}
    return [_with_text_keys(value) for value in node] if isinstance(node, list) else node


def _line_of(text: str, place: list[str]) -> int:
    """The line where the place is; JSON is YAML enough for this."""
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return 1
    line = 1
    for step in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line + 1
    return line


def _operations(data: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Method, path and summary of each operation, in the document's order."""
    found = (
        (method, path, operation)
        for path, item in (data.get("paths") or {}).items()
        if isinstance(item, dict)
        for method, operation in item.items()
        if method in METHODS and isinstance(operation, dict)
    )
    for _count, (method, path, operation) in zip(range(MAX_OPERATIONS), found, strict=False):
        summary = operation.get("summary") or operation.get("description") or ""
        yield {"method": method.upper(), "path": _plain(path, 300), "summary": _plain(summary, 300)}


def _plain(value: Any, longest: int) -> str:
    """One line of text that the database can keep."""
    return " ".join(str(value or "").replace("\x00", "").encode(errors="replace").decode().split())[:longest]


class OwnerSchema(Schema):
    code = fields.String(required=True, metadata={"description": "The agency's state code", "example": "AE002"})
    name = fields.String(required=True, metadata={"example": "Servicio de Información Territorial"})


class VersionSchema(Schema):
    """A version of a service."""

    version = fields.String(required=True, metadata={"example": "v1"})
    status = fields.String(required=True, validate=validate.OneOf([str(one) for one in Status]))
    gateway = fields.String(required=True, metadata={"description": "Where consumers with an agreement call it"})
    openapi = fields.String(allow_none=True, required=True, metadata={"description": "Address of its OpenAPI document"})
    published_at = fields.DateTime(allow_none=True, required=True)
    reasons = fields.String(metadata={"description": "Why the authority returned it; only told to the owner"})


class ServiceSchema(Schema):
    """A service of the catalogue."""

    code = fields.String(required=True, metadata={"example": "SRV-000001"})
    name = fields.String(required=True, metadata={"example": "Registro de comunas"})
    description = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf([str(one) for one in Kind]))
    obligation = fields.String(required=True, validate=validate.OneOf([str(one) for one in Obligation]))
    contact = fields.String(required=True, metadata={"example": "soporte@agencia.cl"})
    owner = fields.Nested(OwnerSchema, required=True)
    published_at = fields.DateTime(allow_none=True, required=True)
    versions = fields.List(fields.Nested(VersionSchema), required=True)


class ServicesQuery(ListQuery):
    q = fields.String(
        load_default=str,
        validate=[validate.Length(max=LONGEST_SEARCH), Matches(f"({LINE})?", ONE_LINE)],
        metadata={"description": "Words to search for, in Spanish", "example": "regiones y comunas"},
    )
    kind = fields.String(load_default=str, validate=validate.OneOf([str(one) for one in Kind]))
    owner = coded(
        AGENCY_CODE,
        AN_AGENCY_CODE,
        required=False,
        load_default=str,
        metadata={"description": "Code of the agency that offers it", "example": "AE001"},
    )


class ServiceDraftSchema(Body):
    """A service and one version of it, as its owner describes them."""

    name = line(NAME_LENGTH, metadata={"example": "Registro de comunas"})
    description = lines(
        DESCRIPTION_LENGTH, metadata={"example": "Entrega las comunas de Chile con su Código Único Territorial."}
    )
    kind = fields.String(
        required=True, validate=validate.OneOf([str(one) for one in Kind]), metadata={"example": "api"}
    )
    contact = coded(EMAIL, AN_EMAIL, metadata={"example": "soporte@agencia.cl"})
    obligation = fields.String(
        load_default=str(Obligation.OPTIONAL), validate=validate.OneOf([str(one) for one in Obligation])
    )
    version = coded(VERSION, A_VERSION, required=False, load_default="v1")
    base_url = fields.String(
        load_default=str,
        validate=[
            validate.Length(max=URL_LENGTH),
            Matches(f"({BASE_URL})?", A_BASE_URL),
        ],
        metadata={"description": "The provider's address", "example": "https://api.agencia.cl/v1"},
    )
    openapi = fields.String(
        load_default=str,
        metadata={
            "description": "The OpenAPI document as text, JSON or YAML; empty keeps the one there is",
            "example": 'openapi: 3.1.0\ninfo: {title: Comunas, version: "1"}\npaths: {}\n',
        },
    )
