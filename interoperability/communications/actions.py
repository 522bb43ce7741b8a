"""Sending, receiving and answering official communications; every step leaves a row, evidence and an audit record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from flask import Response
from flask_babel import gettext
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.dialects.postgresql.ranges import MultiRange
from sqlalchemy.exc import IntegrityError

from interoperability.communications import queries, rules
from interoperability.communications.models import (
    Addressee,
    Communication,
    CommunicationStep,
    Document,
    PartialDelivery,
    communication_number,
)
from interoperability.communications.queries import PartyView, SignedManifest
from interoperability.communications.rules import DocumentDescriptor, Status, Step, Transition
from interoperability.communications.schemas import read_manifest, write_manifest
from interoperability.directory.actions import sign_for_officials
from interoperability.directory.rules import SignatureInvalid
from interoperability.evidence.actions import append
from interoperability.ports import ports
from interoperability.uploads.actions import FOLDER, StoredUploads, store_one
from interoperability.uploads.rules import Files
from kernel.base import clock
from kernel.base.errors import BadRequest, _
from kernel.base.ids import new_id
from kernel.database.db import session
from kernel.database.pruning import remove_batch, until_empty
from kernel.http.uploads import Part
from kernel.jobs.access import AgencyRef, Principal
from kernel.jobs.jobs import periodic
from kernel.outside.documents import StoredDocument, documents, send_document
from kernel.outside.messages import Recipient, officials_at
from kernel.outside.notices import notify
from kernel.pages.layout import format_local_time
from kernel.pages.submissions import submit_once
from kernel.recording import lifecycle
from kernel.recording.work import Work, action

LARGEST_MANIFEST = 256 * 1024


@dataclass(frozen=True)
class SendResult:
    """The result of a request to send; `is_replay` when an equal request had made it before."""

    view: PartyView
    is_replay: bool


def receive_communication(principal: Principal, parts: Iterator[Part], idempotency_key: str | None) -> SendResult:
    """Send what an agency's system uploads: the part `manifest`, then `document`, then each `annex`, as it lists them.

    Raises SignatureInvalid, KeyNotAccepted, Invalid, DigestMismatch, NotAPdf, AlreadySent, TooLarge, BadRequest,
    OutOfSpace. Whatever it raises, nothing is kept.
    """
    agency = principal.acting_agency
    first = next(parts, None)
    if first is None or first.name != "manifest":
        raise BadRequest(_("The first part of the body must be the manifest."))
    token = _ascii(first.read(LARGEST_MANIFEST))
    before = queries.repeated(agency.code, token, idempotency_key)
    if before is not None:
        return _replay(before, parts)
    signed = queries.open_manifest(agency, token)
    before = queries.earlier(agency.code, signed, idempotency_key)
    if before is not None:
        return _replay(before, parts)
    # Only now: what was sent in time is answered again at any time.
    queries.check_sendable(agency, signed.manifest)
    session().close()  # the connection is not kept waiting for the rest of the body
    with StoredUploads() as uploads:
        _store_all(parts, signed.manifest.documents, uploads)
    return _send(principal, signed, uploads, idempotency_key)


def _replay(before: Communication, parts: Iterator[Part]) -> SendResult:
    """The first answer again, once the rest of the body has been read."""
    for _skipped in parts:
        pass
    return SendResult(PartyView(before, before.sender), is_replay=True)


def _ascii(content: bytes) -> str:
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise SignatureInvalid(log="not ASCII") from error


def _store_all(parts: Iterable[Part], expected: tuple[DocumentDescriptor, ...], uploads: StoredUploads) -> None:
    """Stream the parts into the store and hold each against its description in the signed manifest."""
    for part in parts:
        number = len(uploads.stored)
        described = expected[number] if number < len(expected) else None
        if described is None or part.name != ("annex" if number else "document"):
            raise rules.DigestMismatch(fields={"documents": [_("The parts do not match the manifest.")]})
        stored = store_one(part.chunks, described.role, uploads)
        if (stored.sha256, stored.size) != (described.sha256, described.size):
            message = _("%(name)s does not have the digest and size that were signed.", name=described.name)
            raise rules.DigestMismatch(fields={f"documents.{number}": [message]})
    if len(uploads.stored) != len(expected):
        raise rules.DigestMismatch(fields={"documents": [_("The parts do not match the manifest.")]})


def _send(
    principal: Principal, signed: SignedManifest, uploads: StoredUploads, idempotency_key: str | None
) -> SendResult:
    agency = principal.acting_agency.code
    try:
        communication = send_communication(principal, signed, uploads.stored, idempotency_key)
    except rules.AlreadySent:
        # Somebody sent the same a moment ago: theirs is the one, unless only half of it is the same.
        uploads.discard()
        before = queries.earlier(agency, signed, idempotency_key)
        if before is None:
            raise
        return SendResult(PartyView(before, agency), is_replay=True)
    return SendResult(PartyView(communication, agency), is_replay=False)


@action
def send_communication(
    work: Work, principal: Principal, signed: SignedManifest, stored: list[StoredDocument], idempotency_key: str | None
) -> Communication:
    """Make it exist and available to its addressees (DS 4 art. 36). Raises AlreadySent."""
    communication = _insert(work, principal.acting_agency, signed, idempotency_key)
    manifest = signed.manifest
    for number, (described, one) in enumerate(zip(manifest.documents, stored, strict=True), start=1):
        work.add(Document(communication_id=communication.id, number=number, key=one.key, **vars(described)))
    for position, addressee in enumerate(manifest.addressees):
        work.add(_addressee(communication, position, addressee))
    facts = {
        "sender": communication.sender,
        "addressees": [{"agency": one.agency, "copy": one.is_copy} for one in manifest.addressees],
        "manifest": hashlib.sha256(signed.token.encode()).hexdigest(),
        "thumbprint": signed.thumbprint,
        "documents": [one.sha256 for one in stored],
    }
    _take(work, communication, Step.SENT, by=principal.name, facts=facts)
    for addressee in manifest.addressees:
        _take(work, communication, Step.AVAILABLE, by="Cordillera", addressee=addressee.agency)
    codes = [addressee.agency for addressee in manifest.addressees]
    work.record("interoperability:communication:sent", communication, addressees=codes, documents=len(stored))
    return communication


def _insert(work: Work, agency: AgencyRef, signed: SignedManifest, idempotency_key: str | None) -> Communication:
    """The row. Raises AlreadySent, after waiting for one that is being written with the same content or key."""
    manifest, number = signed.manifest, work.session.scalar(select(communication_number.next_value()))
    values = {
        "id": new_id(),
        "code": f"COM-{clock.local(work.now):%Y}-{number:06}",
        "sender": agency.code,
        "sender_name": agency.name,
        "authority_name": manifest.authority.name,
        "authority_post": manifest.authority.post,
        "reference": manifest.reference,
        "content": manifest.content,
        "type": manifest.type,
        "classification": manifest.classification,
        "manifest": signed.token,
        "manifest_digest": signed.digest,
        "thumbprint": signed.thumbprint,
        "idempotency_key": idempotency_key,
        "status": Status.AVAILABLE.value,
        "sent_at": work.now,
    }
    statement = insert(Communication).values(values).on_conflict_do_nothing().returning(Communication)
    inserted = work.session.scalars(statement).one_or_none()
    if inserted is None:
        raise rules.AlreadySent()
    return inserted


def _addressee(communication: Communication, position: int, addressee: rules.Addressee) -> Addressee:
    agency = ports().agencies.find(addressee.agency)
    return Addressee(
        communication_id=communication.id,
        position=position,
        agency=addressee.agency,
        agency_name=agency.name if agency else addressee.agency,
        is_copy=addressee.is_copy,
        persons=[vars(person) for person in addressee.persons],
        status=Status.AVAILABLE.value,
    )


def _take(
    work: Work,
    communication: Communication,
    step: Step,
    *,
    by: str,
    principal: Principal | None = None,
    addressee: str | None = None,
    document: int | None = None,
    reason: str | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Write a step down, here and in the evidence log."""
    members: dict[str, Any] = dict(facts or {})
    for name, value in (("addressee", addressee), ("document", document), ("reason", reason)):
        if value is not None:
            members[name] = value
    entry = append(work, f"communication:{step}", communication.code, members)
    row = CommunicationStep(communication_id=communication.id, evidence=entry.number, step=step.value, at=work.now)
    row.addressee, row.document, row.reason, row.by = addressee, document, reason, by
    row.principal = principal.id if principal else None
    work.add(row)


def checked_draft(principal: Principal, draft: rules.Manifest, files: Files) -> rules.Manifest:
    """The draft with its documents. Raises Invalid for what could not be sent, before anybody is asked to sign it."""
    described = (DocumentDescriptor(one.name, one.media_type, one.sha256, one.size, one.role) for one in files.all)
    complete = replace(draft, documents=tuple(described))
    queries.check_sendable(principal.acting_agency, read_manifest(write_manifest(complete)))
    return complete


def send_from_page(principal: Principal, draft: rules.Manifest, files: Files) -> Communication:
    """Send what an official wrote and chose, signed with the key kept here for the agency.

    Raises Invalid, TooLarge, KeyNotAccepted, AlreadySent, and AlreadySubmitted for a form that was sent before. Files
    stay in any case: an earlier sending of the same page may own them.
    """
    agency = principal.acting_agency
    signed = queries.open_manifest(agency, sign_for_officials(agency, write_manifest(draft)))
    queries.check_sendable(agency, signed.manifest)
    stored = [StoredDocument(one.sha256, one.size, one.key) for one in files.all]
    try:
        return submit_once(lambda: send_communication(principal, signed, stored, None), lambda sent: page_of(sent.code))
    except IntegrityError as error:
        raise rules.AlreadySent() from error  # another page sent the same files at this instant


def page_of(code: str) -> str:
    """The path of the page that shows a communication."""
    return f"/agency/communications/{code}"


def send_to_party(principal: Principal, code: str, number: int, *, is_for_person: bool = False) -> Response:
    """A document of a communication, as the request asks for it; what of it gets to an addressee is noted as it does.

    Raises NotFound, NotYours, RangeNotSatisfiable, DocumentDamaged.
    """
    view = queries.find(principal, code)
    document = queries.document_of(view, number)
    if view.own is None or view.has_downloaded(number):
        return send_document(document, is_for_person=is_for_person)
    return send_document(
        document, lambda part: note_delivery(principal, code, number, part), is_for_person=is_for_person
    )


@action
def note_delivery(work: Work, principal: Principal, code: str, number: int, part: range) -> None:
    """Note that these bytes of a document were handed over; those that make it whole are the step of its download.

    Raises NotFound, NotYours.
    """
    view = queries.find(principal, code, lock=True)
    document = queries.document_of(view, number)
    if view.own is None or view.has_downloaded(number) or not part:
        return
    if len(part) < document.size and not _completes(work, document, view.own, part):
        return
    _transition(work, principal, view, Transition.DOWNLOAD, {"document": number}, document=number)
    work.session.execute(delete(PartialDelivery).where(*_of(document, view.own)))


def _completes(work: Work, document: Document, addressee: Addressee, part: range) -> bool:
    """Keep a part beside those before; whether they are the whole together."""
    values = {"document_id": document.id, "addressee_id": addressee.id, "parts": _multirange(part), "at": work.now}
    statement = insert(PartialDelivery).values(values)
    joined = {"parts": PartialDelivery.parts.op("+")(statement.excluded.parts), "at": work.now}
    statement = statement.on_conflict_do_update(index_elements=["document_id", "addressee_id"], set_=joined)
    whole = PartialDelivery.parts.contains(_multirange(range(document.size)))
    return bool(work.session.scalar(statement.returning(whole)))


def _multirange(part: range) -> MultiRange[int]:
    return MultiRange([Range(part.start, part.stop)])


def _of(document: Document, addressee: Addressee) -> tuple[ColumnElement[bool], ...]:
    return (PartialDelivery.document_id == document.id, PartialDelivery.addressee_id == addressee.id)


def _transition(
    work: Work, principal: Principal, view: PartyView, name: Transition, detail: dict[str, Any], **extra: Any
) -> None:
    """Bring the addressee that acts, and with it the whole, into the next state. detail: of the audit's record."""
    own = view.own
    if own is None or (own.is_copy and name is not Transition.DOWNLOAD):
        raise rules.NotAnAddressee()
    rule = lifecycle.rule(own, name, own.side)
    if rule.needs_reasons:
        own.reason = extra["reason"]
    others = [one.status for one in view.communication.addressees if not one.is_copy and one is not own]
    view.communication.status = rules.status_of_all(others if own.is_copy else [*others, rule.target]).value
    step = Step(name)
    _take(work, view.communication, step, by=principal.name, principal=principal, addressee=own.agency, **extra)
    lifecycle.transition(work, own, rule, **detail)


@action
def acknowledge(work: Work, principal: Principal, code: str) -> PartyView:
    """The addressee's acknowledgement of receipt; who gives it again gets the first answer again.

    Raises NotFound, NotYours, NotAnAddressee, and NotAllowedNow for another answer than the one that was given.
    """
    return _answer(work, principal, code, Transition.ACKNOWLEDGE, None)


@action
def reject(work: Work, principal: Principal, code: str, reason: str) -> PartyView:
    """The addressee's reasoned refusal, repeated and raising as `acknowledge`."""
    return _answer(work, principal, code, Transition.REJECT, reason)


def _answer(work: Work, principal: Principal, code: str, name: Transition, reason: str | None) -> PartyView:
    view = queries.find(principal, code, lock=True)
    if (given := view.answer) is not None:
        if (given.principal, given.step, given.reason) == (principal.id, name, reason):
            return view
        raise rules.NotAllowedNow(_who_answered(given), log=f"{name} after {given.step}")
    _transition(work, principal, view, name, {"addressee": view.agency}, reason=reason)
    return _fresh(work, view)


def _who_answered(given: CommunicationStep) -> str:
    values = {"by": given.by, "at": format_local_time(given.at, exact=True)}
    if given.step == Step.ACKNOWLEDGED:
        return str(gettext("%(by)s acknowledged it on %(at)s.", **values))
    return str(gettext("%(by)s rejected it on %(at)s.", **values))


def _fresh(work: Work, view: PartyView) -> PartyView:
    work.session.flush()
    work.session.refresh(view.communication, ["steps"])
    return view


@action
def notify_addressee(work: Work, code: str, agency: str) -> None:
    """Tell an addressee's correspondents that something waits."""
    notify(work, _correspondents(agency), rules.WAITING, page_of(code), code=code)


@action
def notify_sender(work: Work, code: str, agency: str) -> None:
    """Tell the sender's correspondents that an addressee has answered."""
    sender = work.session.scalars(select(Communication.sender).where(Communication.code == code)).one()
    notify(work, _correspondents(sender), rules.ANSWERED, page_of(code), agency=agency, code=code)


def _correspondents(agency: str) -> list[Recipient]:
    return officials_at(agency, ports().agencies.officials_of(agency, "correspondent"))


@periodic("interoperability:documents:sweep", "23 4 * * *")
def sweep_documents() -> None:
    """Every night, remove the documents that no row names: their transaction never came."""
    documents().sweep(FOLDER, queries.known_keys)


@periodic("interoperability:deliveries:sweep", "11 4 * * *")
def sweep_deliveries() -> None:
    """Every night, forget the parts of documents that nobody has gone on downloading."""
    until_empty(_sweep_deliveries_batch)


@action
def _sweep_deliveries_batch(work: Work) -> int:
    return remove_batch(work.session, PartialDelivery, PartialDelivery.at < work.now - rules.PARTS_KEPT)
