"""Agencies' systems send, find, download, acknowledge and reject official communications."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response, request, url_for

from interoperability.communications import actions, queries
from interoperability.communications.queries import RECEIVE, SEND, PartyView
from interoperability.communications.rules import MOST_ANNEXES
from interoperability.communications.schemas import (
    BoxQuerySchema,
    CommunicationSchema,
    CommunicationSummarySchema,
    RejectionSchema,
)
from interoperability.uploads.settings import UploadSettings
from kernel.api.api_fields import path
from kernel.api.interface import Blueprint
from kernel.base.errors import BadRequest, _
from kernel.base.installation import settings
from kernel.http.uploads import parts_of
from kernel.jobs.access import any_scope, check, current_principal, requires, scope

if TYPE_CHECKING:
    from interoperability.communications.models import Addressee, Document

endpoints = Blueprint(
    "communications_api",
    __name__,
    url_prefix="/api/v1/communications",
    description="Official communications between agencies (DS 4/2020, art. 36)",
)
a_party = any_scope(SEND, RECEIVE)
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
ONE = [path("code", r"COM-[0-9]{4}-[0-9]{6,9}", "The communication's code", "COM-2026-000001")]
OTHER_PARTS = 1024 * 1024  # the manifest and the parts' headers
JWS = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
FILE = {"type": "string", "format": "binary"}
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["manifest", "document"],
                    "properties": {
                        "manifest": {
                            "type": "string",
                            "pattern": JWS,
                            "example": "eyJhbGciOiJFUzI1NiJ9.eyJtZXRhZGF0YSI6e319.c2lnbmF0dXJl",
                            "description": "A compact JWS by a key of the agency: the metadata of DS 4/2020 art. 36 "
                            "and the name, size and SHA-256 of each document",
                        },
                        "document": {**FILE, "description": "The main document, a PDF"},
                        "annex": {"type": "array", "items": FILE, "maxItems": MOST_ANNEXES},
                    },
                    "additionalProperties": False,
                }
            }
        },
    },
    "parameters": [
        {
            "in": "header",
            "name": "Idempotency-Key",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
            "description": "The same key with the same manifest gets the first answer again",
        }
    ],
}
SENT = {
    "Location": {"description": "The communication's address", "required": True, "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "The communication was sent before with this key",
        "schema": {"type": "string", "const": "true"},
    },
}
DOWNLOAD: dict[str, Any] = {
    "parameters": [
        {
            "in": "header",
            "name": "Range",
            "schema": {"type": "string"},
            "example": "bytes=0-99",
            "description": "A part of the document (RFC 9110 14.2), to resume an interrupted download",
        },
        {
            "in": "header",
            "name": "If-None-Match",
            "schema": {"type": "string"},
            "example": '"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
            "description": "The ETag of the copy that the caller has",
        },
    ]
}
ETAG = {"ETag": {"description": "The SHA-256 of the document", "required": True, "schema": {"type": "string"}}}
PART = {
    **ETAG,
    "Content-Range": {"description": "Which part", "required": True, "schema": {"type": "string"}},
}
ANY = "*/*"


@endpoints.post("")
@endpoints.response(201, CommunicationSchema, headers=SENT)
@endpoints.alt_response(400, description="The body is cut off, or the signature is not valid")
@endpoints.alt_response(409, description="The same was sent before, or the key was used for other content")
@endpoints.alt_response(413, description="A document is larger than allowed")
@endpoints.alt_response(415, description="The main document is not a PDF, or the body is not multipart/form-data")
@endpoints.alt_response(
    422, description="The manifest says something that cannot be, or its digests are not those sent"
)
@endpoints.doc(**UPLOAD, operationId="sendCommunication")
@requires(scope(SEND))
def send() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Send a communication: the parts `manifest`, `document` and each `annex`, in this order."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequest(_("The Idempotency-Key must have 1 to 200 visible ASCII characters."))
    limits = settings().of(UploadSettings)
    parts = parts_of(request, limits.max_document_bytes + limits.max_annexes_bytes + OTHER_PARTS)
    sent = actions.receive_communication(current_principal(), parts, key)
    headers = {"Location": _address(sent.view)} | ({"Idempotency-Replayed": "true"} if sent.is_replay else {})
    return details(sent.view), HTTPStatus.CREATED, headers


@endpoints.get("")
@endpoints.arguments(BoxQuerySchema, location="query")
@endpoints.page(CommunicationSummarySchema)
@endpoints.doc(operationId="listCommunications")
@requires(a_party)
def box(query: dict[str, Any]) -> Response:
    """The agency's inbox (scope communications.receive) or outbox (communications.send), the newest first."""
    check(scope(SEND if query["box"] == "outbox" else RECEIVE))
    agency = current_principal().acting_agency.code
    communications = queries.mailbox(agency, query["box"], query["status"], query["cursor"], query["limit"])
    return communications.as_json(lambda view: CommunicationSummarySchema().dump(summary(view)))


@endpoints.get("/<code>", parameters=ONE)
@endpoints.response(200, CommunicationSchema)
@endpoints.alt_response(404, description="No such communication, or another agency's")
@endpoints.doc(operationId="showCommunication")
@requires(a_party)
def one(code: str) -> dict[str, Any]:
    """A communication that the agency sent or received."""
    return details(queries.find(current_principal(), code))


@endpoints.get("/<code>/documents/<int(min=1, max=1000):number>", parameters=ONE)
@endpoints.response(200, FILE, content_type=ANY, description="The document", headers=ETAG)
@endpoints.response(206, FILE, content_type=ANY, description="The range asked for", headers=PART)
@endpoints.alt_response(304, description="The document is the one that If-None-Match names")
@endpoints.alt_response(404, description="No such document, or another agency's")
@endpoints.alt_response(412, description="The document is not the one that If-Match names")
@endpoints.alt_response(416, description="The document does not have that range")
@endpoints.doc(**DOWNLOAD, operationId="downloadDocument")
@requires(a_party)
def document(code: str, number: int) -> Response:
    """A document, byte for byte; its ETag is its SHA-256. An addressee's complete download is recorded as a step."""
    return actions.send_to_party(current_principal(), code, number)


@endpoints.post("/<code>/acknowledgement", parameters=ONE)
@endpoints.response(200, CommunicationSchema)
@endpoints.alt_response(404, description="No such communication, or another agency's")
@endpoints.alt_response(
    409, description="It already has a different answer; the detail says whose, which and since when"
)
@endpoints.doc(operationId="acknowledgeCommunication")
@requires(scope(RECEIVE))
def acknowledge(code: str) -> dict[str, Any]:
    """Acknowledge receipt. Repeating this gives the first answer again."""
    return details(actions.acknowledge(current_principal(), code))


@endpoints.post("/<code>/rejection", parameters=ONE)
@endpoints.arguments(RejectionSchema)
@endpoints.response(200, CommunicationSchema)
@endpoints.alt_response(404, description="No such communication, or another agency's")
@endpoints.alt_response(
    409, description="It already has a different answer; the detail says whose, which and since when"
)
@endpoints.doc(operationId="rejectCommunication")
@requires(scope(RECEIVE))
def reject(rejection: dict[str, str], code: str) -> dict[str, Any]:
    """Reject it, with a reason. Repeating this gives the first answer again."""
    return details(actions.reject(current_principal(), code, rejection["reason"]))


# ---- showing ----


def _address(view: PartyView) -> str:
    return url_for("communications_api.one", code=view.communication.code)


def summary(view: PartyView) -> dict[str, Any]:
    """A communication in a list, as one of its parties may see it."""
    communication = view.communication
    return {
        "code": communication.code,
        "status": view.status,
        "sent_at": communication.sent_at,
        "sender": {
            "agency": communication.sender,
            "name": communication.sender_name,
            "authority": {"name": communication.authority_name, "post": communication.authority_post},
        },
        "addressees": [_addressee(view, one) for one in communication.addressees],
        **{name: getattr(communication, name) for name in ("reference", "type", "classification")},
        "href": _address(view),
    }


def details(view: PartyView) -> dict[str, Any]:
    """Render a communication whole: with its content, documents and steps."""
    communication = view.communication
    documents = [_document(communication.code, document) for document in communication.documents]
    return {**summary(view), "content": communication.content, "documents": documents, "steps": view.steps}


def _addressee(view: PartyView, addressee: Addressee) -> dict[str, Any]:
    known = view.shows_status_of(addressee)
    return {
        "agency": addressee.agency,
        "name": addressee.agency_name,
        "copy": addressee.is_copy,
        "persons": addressee.persons,
        "status": addressee.status if known else None,
        "reason": addressee.reason if known else None,
    }


def _document(code: str, document: Document) -> dict[str, Any]:
    names = ("number", "role", "name", "media_type", "size", "sha256")
    href = url_for("communications_api.document", code=code, number=document.number)
    return {**{name: getattr(document, name) for name in names}, "href": href}
