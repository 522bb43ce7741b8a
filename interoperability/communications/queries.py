"""Reading communications: boxes, one, its documents, what was received before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import selectinload

from interoperability.communications import rules
from interoperability.communications.models import Addressee, Communication, CommunicationStep, Document
from interoperability.communications.schemas import read_manifest
from interoperability.directory.queries import signed_by
from interoperability.ports import ports
from interoperability.uploads.settings import UploadSettings
from kernel.base import clock
from kernel.base.errors import Invalid, NotFound, NotYours, _
from kernel.base.installation import settings
from kernel.database.db import session
from kernel.database.pagination import Page, page
from kernel.jobs.access import AgencyRef, Principal
from kernel.recording.pending import pending_columns

SEND, RECEIVE = "communications.send", "communications.receive"
WHOLE = (
    selectinload(Communication.addressees),
    selectinload(Communication.documents),
    selectinload(Communication.steps),
)


@dataclass(frozen=True)
class SignedManifest:
    """A manifest whose signature held: as it came, the SHA-256 of what was signed, the key, and what it says."""

    token: str
    digest: str
    thumbprint: str
    manifest: rules.Manifest


@dataclass(frozen=True)
class PartyView:
    """A communication as one of its parties sees it: an addressee sees its own steps, the sender all of them."""

    communication: Communication
    agency: str

    @property
    def is_sender(self) -> bool:
        return self.communication.sender == self.agency

    @property
    def own(self) -> Addressee | None:
        """The addressee that looks, None for the sender."""
        return next((one for one in self.communication.addressees if one.agency == self.agency), None)

    @property
    def status(self) -> str:
        return self.own.status if self.own else self.communication.status

    @property
    def steps(self) -> list[CommunicationStep]:
        readers = (None, self.agency)
        return [step for step in self.communication.steps if self.is_sender or step.addressee in readers]

    @property
    def answer(self) -> CommunicationStep | None:
        """The answer of the addressee that looks."""
        own = [step for step in self.communication.steps if step.addressee == self.agency]
        return next((step for step in own if step.step in rules.ANSWERS), None)

    def has_downloaded(self, number: int) -> bool:
        """Whether the addressee that looks has had the whole of a document."""
        return any(step.step == rules.Step.DOWNLOADED and step.document == number for step in self.steps)

    @property
    def may_answer(self) -> bool:
        own = self.own
        return own is not None and rules.Transition.ACKNOWLEDGE in own.LIFECYCLE.possible(own.status, own.side)

    def shows_status_of(self, addressee: Addressee) -> bool:
        return self.is_sender or addressee.agency == self.agency


def sender_of(code: str) -> str:
    """The code of the agency that sent a communication, whoever asks."""
    return session().scalars(select(Communication.sender).where(Communication.code == code)).one()


def outbox(agency: str, status: str | None, cursor: str | None, limit: int | None = None) -> Page[Communication]:
    """List communications that an agency sent, the newest first."""
    query = select(Communication).where(Communication.sender == agency)
    if status:
        query = query.where(Communication.status == status)
    query = query.options(selectinload(Communication.addressees))
    return page(session(), query, [Communication.id], cursor=cursor, limit=limit)


def inbox(agency: str, status: str | None, cursor: str | None, limit: int | None = None) -> Page[Addressee]:
    """List communications that an agency received, the newest first. Status `available` is whatever waits for it
    (`_waits`).
    """
    query = select(Addressee).where(Addressee.agency == agency)
    if status == rules.Status.AVAILABLE:
        query = query.where(_waits())
    elif status:
        query = query.where(Addressee.status == status)
    query = query.options(selectinload(Addressee.communication).selectinload(Communication.addressees))
    return page(session(), query, [Addressee.communication_id], cursor=cursor, limit=limit)


def _waits() -> ColumnElement[bool]:
    """Whether an addressee has still to do something: until it has answered, whatever it has downloaded, for it may
    have crashed before it answered. Who has a copy and so answers nothing, until it has had every document.
    """
    documents = select(func.count()).where(Document.communication_id == Addressee.communication_id)
    downloads = select(func.count()).where(
        CommunicationStep.communication_id == Addressee.communication_id,
        CommunicationStep.addressee == Addressee.agency,
        CommunicationStep.step == rules.Step.DOWNLOADED,
    )
    is_incomplete = downloads.scalar_subquery() < documents.scalar_subquery()
    began = and_(Addressee.status == rules.Status.DOWNLOADED, or_(~Addressee.is_copy, is_incomplete))
    return or_(Addressee.status == rules.Status.AVAILABLE, began)


def unanswered(status: rules.Status, agency: str) -> Select[Any]:
    """Communications that an agency has received in a status, and not only for its information, for the list of
    pending decisions. They are told by their codes: a subject is for whom it is addressed to.
    """
    title, href = Communication.code + " · " + Communication.sender_name, "/agency/communications/" + Communication.code
    query = select(*pending_columns(Addressee.id, title, Communication.sent_at, href)).join(Addressee.communication)
    return query.where(Addressee.agency == agency, Addressee.status == status, Addressee.is_copy.is_(False))


def mailbox(
    agency: str, name: str, status: str | None, cursor: str | None, limit: int | None = None
) -> Page[PartyView]:
    """A box (inbox, outbox) as its agency sees it."""
    if name == "outbox":
        sent = outbox(agency, status, cursor, limit)
        return Page([PartyView(one, agency) for one in sent.items], sent.next)
    received = inbox(agency, status, cursor, limit)
    return Page([PartyView(one.communication, agency) for one in received.items], received.next)


def find(principal: Principal, code: str, *, lock: bool = False) -> PartyView:
    """A communication that the principal's agency sent or received. Raises NotFound, NotYours.

    lock: keep it as it is until the transaction ends; answers wait for one another.
    """
    agency = principal.acting_agency.code
    query = select(Communication).where(Communication.code == code).options(*WHOLE)
    if lock:
        query = query.with_for_update(of=Communication).execution_options(populate_existing=True)
    communication = session().scalars(query).one_or_none()
    if communication is None:
        raise NotFound()
    view = PartyView(communication, agency)
    # A token sees the side that its scopes name; an official sees both.
    needed = SEND if view.is_sender else RECEIVE
    if not (view.is_sender or view.own) or (principal.kind == "machine" and needed not in principal.scopes):
        raise NotYours(log=f"{code} for {agency}")
    return view


def document_of(view: PartyView, number: int) -> Document:
    """Raises NotFound."""
    document = next((one for one in view.communication.documents if one.number == number), None)
    if document is None:
        raise NotFound()
    return document


def open_manifest(agency: AgencyRef, token: str) -> SignedManifest:
    """A manifest whose signature holds. Raises SignatureInvalid, KeyNotAccepted, BadRequest, Invalid."""
    content, key = signed_by(agency.code, token)
    return SignedManifest(token, hashlib.sha256(content).hexdigest(), key.thumbprint, read_manifest(content))


def check_sendable(agency: AgencyRef, manifest: rules.Manifest) -> None:
    """Raise Invalid or TooLarge unless the agency may send this now."""
    limits = settings().of(UploadSettings)
    rules.check_manifest(manifest, agency.code, clock.now(), limits.max_document_bytes, limits.max_annexes_bytes)
    agencies = {one.agency: ports().agencies.find(one.agency) for one in manifest.addressees}
    if unknown := [code for code, addressee in agencies.items() if addressee is None]:
        message = _("No agency has the code %(codes)s.", codes=", ".join(unknown))
        raise Invalid(fields={"metadata.addressees": [message]})
    if ended := [code for code, addressee in agencies.items() if addressee and not addressee.is_active]:
        message = _("These agencies do not exist today: %(codes)s. Send it to their successor.", codes=", ".join(ended))
        raise Invalid(fields={"metadata.addressees": [message]})


def repeated(agency: str, token: str, idempotency_key: str | None) -> Communication | None:
    """The communication that these very bytes made with this key: what was good then needs to be good no more."""
    if idempotency_key is None:
        return None
    same = (Communication.idempotency_key == idempotency_key, Communication.manifest == token)
    return session().scalars(select(Communication).where(Communication.sender == agency, *same).options(*WHOLE)).first()


def earlier(agency: str, signed: SignedManifest, idempotency_key: str | None) -> Communication | None:
    """The communication that the same request made before. Raises AlreadySent where only one half is the same."""
    digest = Communication.manifest_digest == signed.digest
    same = digest if idempotency_key is None else digest | (Communication.idempotency_key == idempotency_key)
    query = select(Communication).where(Communication.sender == agency, same).options(*WHOLE)
    communications = session().scalars(query).all()
    for one in communications:
        if idempotency_key is None or one.manifest_digest != signed.digest or one.idempotency_key != idempotency_key:
            raise rules.AlreadySent(_("It is %(code)s.", code=one.code))
    return communications[0] if communications else None


def known_keys(keys: Sequence[str]) -> set[str]:
    """Return those of the keys of the document store that belong to a communication."""
    return set(session().scalars(select(Document.key).where(Document.key.in_(keys))))
