"""Official communications between agencies (DS 4/2020, art. 36): what one says, and the steps that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from interoperability.uploads.rules import PDF
from kernel.base.errors import Conflict, Forbidden, Invalid, TooLarge, _
from kernel.base.lifecycles import Lifecycle, TransitionRule
from kernel.base.notices import NoticeTemplate

MOST_ADDRESSEES, MOST_ANNEXES = 50, 30
LONGEST_NAME = 255
"""In bytes: what file systems take for the name of a file."""
MANIFEST_LASTS, CLOCKS_DIFFER_BY = timedelta(hours=24), timedelta(minutes=5)
PARTS_KEPT = timedelta(days=30)
"""The time for which it is remembered which parts of a document were handed over, since the last of them."""

TYPES = {
    "letter": _("Official letter"),
    "circular": _("Circular"),
    "memorandum": _("Memorandum"),
    "resolution": _("Resolution"),
    "other": _("Other"),
}
CLASSIFICATIONS = {"public": _("Public"), "reserved": _("Reserved"), "secret": _("Secret")}


class DigestMismatch(Invalid):
    kind = "digest-mismatch"
    title = _("A document is not the one that was signed")
    explanation = _("The parts of the body and the documents of the signed manifest differ in number, size or digest.")
    remedy = _("Sign the manifest over the files that you send, in the same order. Nothing was stored.")


class AlreadySent(Conflict):
    kind = "already-sent"
    title = _("This was already sent")
    explanation = _("The same signed manifest, or the same Idempotency-Key with another content, was received before.")
    remedy = _("Check your outbox. To send it again, sign a new manifest and use a new key.")


class NotAllowedNow(Conflict):
    kind = "communication-closed"
    title = _("This communication was already answered")
    explanation = _("A communication is acknowledged or rejected only once, and the answer is final.")
    remedy = _("Look at its steps. To say something else, send a communication in reply.")


class NotAnAddressee(Forbidden):
    kind = "not-an-addressee"
    title = _("Only an addressee can answer")
    explanation = _(
        "Your agency sent this communication, or received a copy. Only those it is addressed to can answer it."
    )
    remedy = _("Wait for their answer; the steps show where it stands.")


class Step(StrEnum):
    """An event in the life of a communication; every one is a record in the evidence log."""

    SENT = "sent"
    AVAILABLE = "available"
    DOWNLOADED = "downloaded"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"


class Status(StrEnum):
    """The status of a communication at one addressee."""

    AVAILABLE = "available"
    DOWNLOADED = "downloaded"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"


class Transition(StrEnum):
    """Acts of an addressee; the value is the step that it leaves."""

    DOWNLOAD = "downloaded"
    ACKNOWLEDGE = "acknowledged"
    REJECT = "rejected"


class Side(StrEnum):
    """The side of an addressee: it is written to, or it has a copy."""

    ADDRESSEE = "addressee"
    COPY = "copy"


ANSWERS = frozenset({Status.ACKNOWLEDGED, Status.REJECTED})
STATUSES = tuple(status.value for status in Status)
ADDRESSEES = frozenset({Side.ADDRESSEE})
DOWNLOADED = "interoperability:communication:downloaded"
ACKNOWLEDGED, REJECTED = "interoperability:communication:acknowledged", "interoperability:communication:rejected"
ANSWER_TAGS = (ACKNOWLEDGED, REJECTED)
# DS 4 art. 36: an answer is given once and stands; documents can be had before and after it.
LIFECYCLE = Lifecycle[Status, Transition](
    {
        **{
            (status, Transition.DOWNLOAD): TransitionRule(
                status if status in ANSWERS else Status.DOWNLOADED, DOWNLOADED
            )
            for status in Status
        },
        **{
            (status, Transition.ACKNOWLEDGE): TransitionRule(Status.ACKNOWLEDGED, ACKNOWLEDGED, ADDRESSEES)
            for status in (Status.AVAILABLE, Status.DOWNLOADED)
        },
        **{
            (status, Transition.REJECT): TransitionRule(Status.REJECTED, REJECTED, ADDRESSEES, needs_reasons=True)
            for status in (Status.AVAILABLE, Status.DOWNLOADED)
        },
    },
    refusal=NotAllowedNow,
)


def next_status(status: str, transition: Transition) -> Status:
    """The status of an addressee after what it did. Raises NotAllowedNow: an answer is given once and stands."""
    return LIFECYCLE.rule(status, transition, Side.ADDRESSEE).target


def status_of_all(addressees: Sequence[str]) -> Status:
    """The status of the whole for its sender: one rejection stands out, acknowledged is it when all have done so."""
    if Status.REJECTED in addressees:
        return Status.REJECTED
    if all(status == Status.ACKNOWLEDGED for status in addressees):
        return Status.ACKNOWLEDGED
    return Status.AVAILABLE if all(status == Status.AVAILABLE for status in addressees) else Status.DOWNLOADED


@dataclass(frozen=True)
class Person:
    """Somebody by name and post."""

    name: str
    post: str


@dataclass(frozen=True)
class Addressee:
    """An agency, and whom in it; a copy is for information only."""

    agency: str
    is_copy: bool
    persons: tuple[Person, ...]


@dataclass(frozen=True)
class DocumentDescriptor:
    """A document as the manifest describes it: SHA-256 in hexadecimal, size in bytes, role main or annex."""

    name: str
    media_type: str
    sha256: str
    size: int
    role: str


@dataclass(frozen=True)
class Manifest:
    """The letter that the sender signs: its words as DS 4 art. 36 and the digests of the documents."""

    issued_at: datetime
    agency: str
    authority: Person
    addressees: tuple[Addressee, ...]
    reference: str
    content: str
    type: str
    classification: str
    documents: tuple[DocumentDescriptor, ...]


def check_manifest(manifest: Manifest, agency: str, now: datetime, largest_main: int, largest_annexes: int) -> None:
    """Raise Invalid or TooLarge unless `agency` may send this now; sizes in bytes."""
    wrong: dict[str, list[Any]] = {}
    if manifest.agency != agency:
        wrong["metadata.sender.agency"] = [_("Only your own agency can be the sender.")]
    if not now - MANIFEST_LASTS <= manifest.issued_at <= now + CLOCKS_DIFFER_BY:
        wrong["metadata.issued_at"] = [_("The manifest must have been signed within the last 24 hours.")]
    wrong |= _wrong_addressees(manifest, agency) | _wrong_documents(manifest.documents)
    if wrong:
        raise Invalid(fields=wrong)
    if manifest.documents[0].size > largest_main:
        raise TooLarge(log="main document")
    if sum(document.size for document in manifest.documents[1:]) > largest_annexes:
        raise TooLarge(log="annexes")


def _wrong_addressees(manifest: Manifest, agency: str) -> dict[str, list[Any]]:
    codes = [addressee.agency for addressee in manifest.addressees]
    field = "metadata.addressees"
    if all(addressee.is_copy for addressee in manifest.addressees):
        return {field: [_("At least one addressee must not be a copy.")]}
    if len(set(codes)) != len(codes):
        return {field: [_("An agency is named twice.")]}
    if agency in codes:
        return {field: [_("An agency cannot send to itself.")]}
    return {}


def _wrong_documents(documents: Sequence[DocumentDescriptor]) -> dict[str, list[Any]]:
    roles = [document.role for document in documents]
    if roles[:1] != ["main"] or "main" in roles[1:]:
        return {"documents": [_("The first document is the main one, and the only one.")]}
    if documents[0].media_type.lower() != PDF:
        return {"documents": [_("The main document must be a PDF.")]}
    return {}


NOTICES, CORRESPONDENTS = _("Communications"), frozenset({"correspondent"})
# They name no subject: mail is read by more people than those it is for.
WAITING = NoticeTemplate(
    kind="communications.waiting",
    group=NOTICES,
    label=_("Another agency sends you a communication"),
    title=_("A communication is waiting for you: %(code)s"),
    text=_("A communication is waiting for you: %(code)s.\n\nRead it in your agency's mailbox."),
    roles=CORRESPONDENTS,
)
ANSWERED = NoticeTemplate(
    kind="communications.answered",
    group=NOTICES,
    label=_("An addressee answers a communication of yours"),
    title=_("%(agency)s answered your communication %(code)s"),
    text=_("%(agency)s answered your communication %(code)s.\n\nRead it in your agency's mailbox."),
    roles=CORRESPONDENTS,
)
TEMPLATES = (WAITING, ANSWERED)
