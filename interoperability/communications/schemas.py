"""The shapes of communications: the manifest that comes in, what the API shows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import marshmallow as ma
from itsdangerous import BadData, URLSafeTimedSerializer

from interoperability.communications import rules
from interoperability.uploads.rules import FILES_KEPT
from kernel.api import fields, validators
from kernel.api.api_fields import Body, ListQuery, Schema, line, lines
from kernel.api.validators import Matches
from kernel.base.canonical import TwoMeanings, read_json
from kernel.base.errors import BadRequest, Invalid, _
from kernel.base.installation import settings
from kernel.jobs.access import Principal

SHA256 = re.compile(r"[0-9a-f]{64}")
# RFC 6838 4.2: a type has no case, and some are registered with capitals.
MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
A_DIGEST = _("Write the SHA-256 digest as 64 hexadecimal digits in lower case.")
A_MEDIA_TYPE = _("Write a media type, such as application/pdf.")


def file_name(name: str) -> None:
    """A name, not a path, that every file system takes."""
    if "/" in name or "\\" in name or name.strip(". ") == "":
        raise ma.ValidationError(str(_("Write a file name without folders.")))
    if len(name.encode(errors="replace")) > rules.LONGEST_NAME:
        raise ma.ValidationError(
            str(_("Write a file name of at most %(most)s bytes in UTF-8.", most=rules.LONGEST_NAME))
        )


class PersonSchema(Schema):
    name = line(200)
    post = line(200)

    @ma.post_load
    def made(self, data: dict[str, Any], **_kept: Any) -> rules.Person:
        return rules.Person(**data)


class SenderSchema(Schema):
    agency = line(20)
    authority = fields.Nested(PersonSchema, required=True)


class AddresseeSchema(Schema):
    agency = line(20)
    copy = fields.Boolean(load_default=False)
    persons = fields.List(fields.Nested(PersonSchema), load_default=list, validate=validators.Length(max=20))

    @ma.post_load
    def made(self, data: dict[str, Any], **_kept: Any) -> rules.Addressee:
        return rules.Addressee(data["agency"], data["copy"], tuple(data["persons"]))


class DocumentDescriptorSchema(Schema):
    name = fields.String(required=True, validate=[validators.Length(1, 200), validators.one_line, file_name])
    media_type = fields.String(required=True, validate=Matches(MEDIA_TYPE, A_MEDIA_TYPE))
    sha256 = fields.String(required=True, validate=Matches(SHA256, A_DIGEST))
    size = fields.Integer(required=True, strict=True, validate=validators.Range(1, 2**40))
    role = fields.String(required=True, validate=validators.OneOf(["main", "annex"]))

    @ma.post_load
    def made(self, data: dict[str, Any], **_kept: Any) -> rules.DocumentDescriptor:
        return rules.DocumentDescriptor(**data)


class MetadataSchema(Schema):
    """DS 4/2020 art. 36."""

    issued_at = fields.AwareDateTime(required=True, format="iso")
    sender = fields.Nested(SenderSchema, required=True)
    addressees = fields.List(
        fields.Nested(AddresseeSchema), required=True, validate=validators.Length(1, rules.MOST_ADDRESSEES)
    )
    reference = line(500)
    content = fields.Lines(load_default="", validate=[validators.Length(0, 4000), validators.some_lines])
    type = fields.String(required=True, validate=validators.OneOf(list(rules.TYPES)))
    classification = fields.String(required=True, validate=validators.OneOf(list(rules.CLASSIFICATIONS)))


class ManifestSchema(Schema):
    """The manifest that a sender signs."""

    metadata = fields.Nested(MetadataSchema, required=True)
    documents = fields.List(
        fields.Nested(DocumentDescriptorSchema), required=True, validate=validators.Length(1, 1 + rules.MOST_ANNEXES)
    )

    @ma.post_load
    def made(self, data: dict[str, Any], **_kept: Any) -> rules.Manifest:
        metadata = data["metadata"]
        sender = metadata.pop("sender")
        metadata["addressees"] = tuple(metadata["addressees"])
        return rules.Manifest(
            **metadata, agency=sender["agency"], authority=sender["authority"], documents=tuple(data["documents"])
        )


def read_manifest(content: bytes) -> rules.Manifest:
    """The manifest out of the JSON that was signed. Raises BadRequest, Invalid."""
    try:
        members = read_json(content)
    except TwoMeanings as error:
        raise BadRequest(error.message, log="manifest of two meanings") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(_("What was signed is not JSON."), log="manifest is not JSON") from error
    try:
        manifest: rules.Manifest = ManifestSchema(unknown=ma.RAISE).load(members)
    except ma.ValidationError as error:
        raise Invalid(fields=_flat(error.messages)) from error
    return manifest


def _flat(messages: Any, prefix: str = "") -> dict[str, list[str]]:
    if isinstance(messages, list):
        return {prefix: [str(message) for message in messages]}
    faults: dict[str, list[str]] = {}
    for name, inner in messages.items():
        faults |= _flat(inner, f"{prefix}.{name}".lstrip("."))
    return faults


def write_manifest(manifest: rules.Manifest) -> bytes:
    """Write the manifest that the platform signs for officials who work in pages."""
    metadata = {
        "issued_at": _iso(manifest.issued_at),
        "sender": {"agency": manifest.agency, "authority": vars(manifest.authority)},
        "addressees": [
            {"agency": one.agency, "copy": one.is_copy, "persons": [vars(person) for person in one.persons]}
            for one in manifest.addressees
        ],
        **{name: getattr(manifest, name) for name in ("reference", "content", "type", "classification")},
    }
    documents = [vars(document) for document in manifest.documents]
    return json.dumps({"metadata": metadata, "documents": documents}, ensure_ascii=False, sort_keys=True).encode()


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds")


# ---- what the API shows ----


def _any_status() -> None:
    """May be left out."""


class ShownAddresseeSchema(Schema):
    agency = fields.String(required=True)
    name = fields.String(required=True)
    copy = fields.Boolean(required=True)
    persons = fields.List(fields.Nested(PersonSchema), required=True)
    status = fields.String(allow_none=True, metadata={"description": "Only for the sender and that agency itself"})
    reason = fields.String(allow_none=True)


class ShownSenderSchema(SenderSchema):
    name = fields.String(required=True)


class ShownDocumentSchema(Schema):
    number = fields.Integer(required=True)
    role = fields.String(required=True)
    name = fields.String(required=True)
    media_type = fields.String(required=True)
    size = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    href = fields.String(required=True)


class ShownStepSchema(Schema):
    step = fields.String(required=True, validate=validators.OneOf([step.value for step in rules.Step]))
    at = fields.AwareDateTime(required=True, format="iso")
    addressee = fields.String(allow_none=True)
    document = fields.Integer(allow_none=True)
    reason = fields.String(allow_none=True)


class CommunicationSummarySchema(Schema):
    """A line of a box."""

    code = fields.String(required=True, metadata={"example": "COM-2026-000001"})
    status = fields.String(required=True, validate=validators.OneOf(rules.STATUSES))
    sent_at = fields.AwareDateTime(required=True, format="iso")
    sender = fields.Nested(ShownSenderSchema, required=True)
    addressees = fields.List(fields.Nested(ShownAddresseeSchema), required=True)
    reference = fields.String(required=True)
    type = fields.String(required=True)
    classification = fields.String(required=True)
    href = fields.String(required=True)


class CommunicationSchema(CommunicationSummarySchema):
    """A communication as one of its parties sees it."""

    content = fields.String(required=True)
    documents = fields.List(fields.Nested(ShownDocumentSchema), required=True)
    steps = fields.List(fields.Nested(ShownStepSchema), required=True)


class BoxQuerySchema(ListQuery):
    box = fields.String(load_default="inbox", validate=validators.OneOf(["inbox", "outbox"]))
    status = fields.String(
        load_default=_any_status,
        validate=validators.OneOf(rules.STATUSES),
        metadata={
            "description": "Only those with this status; all if not given. In the inbox, `available` is everything "
            "that waits for the agency: what it has not answered, downloaded or not; of copies, what it has "
            "not fully downloaded"
        },
    )


class RejectionSchema(Body):
    reason = lines(2000, 3, metadata={"example": "No es materia de este servicio."})


def seal_review(draft: rules.Manifest, principal: Principal) -> str:
    """That this principal was shown this draft, whatever the instant at which it will be signed."""
    return _reviews().dumps(_reviewed(draft, principal))


def is_reviewed(text: str, draft: rules.Manifest, principal: Principal) -> bool:
    """Whether a page has shown this very draft to this principal, and not too long ago."""
    try:
        reviewed = _reviews().loads(text, max_age=int(FILES_KEPT.total_seconds()))
    except BadData:
        return False
    return bool(reviewed == _reviewed(draft, principal))


def _reviewed(draft: rules.Manifest, principal: Principal) -> list[str]:
    timeless = write_manifest(replace(draft, issued_at=datetime.min.replace(tzinfo=UTC)))
    return [principal.id, principal.acting_agency.code, sha256(timeless).hexdigest()]


def _reviews() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret_key, salt="interoperability:communications:reviews")
