"""Official communications between agencies (DS 4/2020, art. 36): what one says, and the steps that it takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from interoperability.directory.rules import SignatureInvalid, open_signed
from interoperability.evidence import rules as log
from interoperability.evidence.rules import Broken
from kernel.canonical import canonical_json, read_json
from kernel.errors import Conflict, Forbidden, Invalid, TooLarge, UnsupportedMediaType, _

PDF = "application/pdf"
MOST_ADDRESSEES, MOST_ANNEXES = 50, 30
LONGEST_NAME = 255
"""In bytes: what file systems take for the name of a file."""
MANIFEST_LASTS, CLOCKS_DIFFER_BY = timedelta(hours=24), timedelta(minutes=5)

TYPES = {
    "letter": _("Official letter"),
    "circular": _("Circular"),
    "memorandum": _("Memorandum"),
    "resolution": _("Resolution"),
    "other": _("Other"),
}
CLASSIFICATIONS = {"public": _("Public"), "reserved": _("Reserved"), "secret": _("Secret")}


class NotAPdf(UnsupportedMediaType):
    kind = "not-a-pdf"
    title = _("The main document is not a PDF")
    explanation = _("The bytes of the main document do not begin and end as those of a complete PDF file.")
    remedy = _("Save it as PDF and send it again. Nothing was stored.")


class DigestMismatch(Invalid):
    kind = "digest-mismatch"
    title = _("A document is not the one that was signed")
    explanation = _("The parts of the body and the documents of the signed manifest differ in number, size or digest.")
    remedy = _("Sign the manifest over the files that you send, in the same order. Nothing was stored.")


class AlreadySent(Conflict):
    kind = "already-sent"
    title = _("This was already sent")
    explanation = _("The same signed manifest, or the same Idempotency-Key with another content, was received before.")
    remedy = _("Look in your outbox. To send it once more, sign a new manifest and use a new key.")


class NotAllowedNow(Conflict):
    kind = "communication-closed"
    title = _("This communication was already answered")
    explanation = _("It is acknowledged or rejected once, and the answer stands.")
    remedy = _("Look at its steps. To say something else, send a communication in reply.")


class NotAnAddressee(Forbidden):
    kind = "not-an-addressee"
    title = _("Only an addressee can answer")
    explanation = _("Your agency sent this communication, or has a copy of it. Those it is addressed to answer it.")
    remedy = _("Wait for their answer; the steps show where it stands.")


# ---- files that were chosen, and not sent yet ----

FILES_KEPT = timedelta(hours=18)
"""How long the page may be left open. Files that belong to no communication are swept after a day."""


@dataclass(frozen=True)
class KeptFile:
    """A file in the store that belongs to no communication yet."""

    key: str
    name: str
    media_type: str
    sha256: str
    size: int
    role: str


@dataclass(frozen=True)
class Files:
    """The main document and the annexes that were chosen so far."""

    main: KeptFile | None = None
    annexes: tuple[KeptFile, ...] = ()

    @property
    def all(self) -> list[KeptFile]:
        return [*([self.main] if self.main else []), *self.annexes]

    def with_newer(self, newer: Files) -> Files:
        """These files; what was chosen since takes the place of what there was."""
        return replace(self, main=newer.main or self.main, annexes=newer.annexes or self.annexes)


def in_roles(files: Sequence[KeptFile]) -> Files:
    """The files by the parts that they play."""
    main = next((one for one in files if one.role == "main"), None)
    return Files(main, tuple(one for one in files if one.role != "main"))


# ---- steps ----


class Step(StrEnum):
    """What happens to a communication; every one is a record in the evidence log."""

    SENT = "sent"
    AVAILABLE = "available"
    DOWNLOADED = "downloaded"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"


ANSWERS = frozenset({Step.ACKNOWLEDGED, Step.REJECTED})
STATUSES = tuple(step.value for step in Step if step is not Step.SENT)


def status_after(status: str, step: Step) -> Step:
    """Where an addressee stands after a step. Raises NotAllowedNow: an answer is given once and stands."""
    if status in ANSWERS:
        if step is not Step.DOWNLOADED:
            raise NotAllowedNow(log=f"{step} after {status}")
        return Step(status)
    if step in ANSWERS or step is Step.DOWNLOADED:
        return step
    raise NotAllowedNow(log=f"{step} after {status}")


def status_of_all(addressees: Sequence[str]) -> Step:
    """How the whole stands for its sender: one rejection stands out, acknowledged is it when all have done so."""
    if Step.REJECTED in addressees:
        return Step.REJECTED
    if all(status == Step.ACKNOWLEDGED for status in addressees):
        return Step.ACKNOWLEDGED
    return Step.AVAILABLE if all(status == Step.AVAILABLE for status in addressees) else Step.DOWNLOADED


# ---- what it says ----


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
class Described:
    """A document as the manifest describes it: SHA-256 in hexadecimal, size in bytes, role main or annex."""

    name: str
    media_type: str
    sha256: str
    size: int
    role: str


@dataclass(frozen=True)
class Manifest:
    """What the sender signs: DS 4 art. 36 and the digests of the documents."""

    issued_at: datetime
    agency: str
    authority: Person
    addressees: tuple[Addressee, ...]
    reference: str
    content: str
    type: str
    classification: str
    documents: tuple[Described, ...]


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
        return {field: [_("An agency does not send to itself.")]}
    return {}


def _wrong_documents(documents: Sequence[Described]) -> dict[str, list[Any]]:
    roles = [document.role for document in documents]
    if roles[:1] != ["main"] or "main" in roles[1:]:
        return {"documents": [_("The first document is the main one, and the only one.")]}
    if documents[0].media_type.lower() != PDF:
        return {"documents": [_("The main document must be a PDF.")]}
    return {}


# ---- a PDF by its bytes ----


class PdfProbe:
    """Looks at a document on its way: header in front, cross-reference and end mark behind (ISO 32000-1 7.5)."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._head = self._head if len(self._head) >= 1024 else (self._head + chunk)[:1024]
            self._tail = (self._tail + chunk)[-2048:]
            yield chunk

    def check(self) -> None:
        """Raise NotAPdf unless what passed is one."""
        # Readers look for the header in the first 1,024 bytes and for the end mark in the last ones.
        if b"%PDF-" not in self._head or b"%%EOF" not in self._tail[-1024:] or b"startxref" not in self._tail:
            raise NotAPdf()


# ---- receipts ----

RECEIPT_FORMAT = "cordillera-receipt-1"
LARGEST_RECEIPT = 16 * 1024 * 1024
SIGNATURE_MEMBERS = {"key", "value"}


@dataclass(frozen=True)
class Check:
    """One thing that a receipt has to hold, in plain words."""

    name: str
    ok: bool
    why: str


@dataclass(frozen=True)
class Receipt:
    """A receipt taken apart. `keys`: those that may have signed for the platform, pinned by the reader or its own."""

    whole: dict[str, Any]
    keys: list[dict[str, Any]]
    are_pinned: bool

    def about(self, kind: str) -> list[dict[str, Any]]:
        """Its records whose kind begins so, in the order of the log."""
        return [entry for entry in self.whole["entries"] if entry["statement"]["kind"].startswith(kind)]

    @property
    def sent(self) -> dict[str, Any]:
        """The record of the sending."""
        found = self.about(f"communication:{Step.SENT}")
        if len(found) != 1:
            raise Broken("the receipt needs exactly one record of the sending")
        return dict(found[0])


def write_receipt(receipt: Mapping[str, Any]) -> bytes:
    """The one way in which a receipt is spelled."""
    return (json.dumps(receipt, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def signed_part(receipt: Mapping[str, Any]) -> bytes:
    """What the platform signs: everything but the signature."""
    return canonical_json({name: value for name, value in receipt.items() if name != "signature"})


def verify(content: bytes, pinned: list[dict[str, Any]] | None = None) -> list[Check]:
    """Check a receipt file offline. pinned: the platform's keys (JWKs) that the reader trusts; else those it brings."""
    whole = "The file is a receipt, exactly as it was written"
    try:
        receipt = _read(content, pinned)
    except (Broken, ValueError, KeyError, TypeError, RecursionError) as error:
        return [Check(whole, False, str(error) if isinstance(error, Broken) else "it cannot be read as one")]
    return [Check(whole, True, f"it speaks of {receipt.whole['code']}"), *(_run(receipt, *each) for each in CHECKS)]


def documents_of(content: bytes) -> list[str]:
    """The digests of the documents that a verified receipt speaks of."""
    sent = Receipt(json.loads(content), [], are_pinned=False).sent
    return list(sent["statement"]["facts"]["documents"])


def _read(content: bytes, pinned: list[dict[str, Any]] | None) -> Receipt:
    if len(content) > LARGEST_RECEIPT:
        raise Broken("it is larger than any receipt")
    whole = read_json(content)
    if not isinstance(whole, dict) or whole.get("format") != RECEIPT_FORMAT:
        raise Broken("it is not a receipt of this format")
    if write_receipt(whole) != content:
        raise Broken("it was written again by other means, or altered")
    # Everything else is signed; of the signature itself only its form says that nothing was put into it.
    if set(whole["signature"]) != SIGNATURE_MEMBERS:
        raise Broken("its signature has members that no receipt has, or lacks one")
    return Receipt(whole, pinned if pinned is not None else whole["keys"], pinned is not None)


def _run(receipt: Receipt, name: str, check: Callable[[Receipt], str]) -> Check:
    try:
        return Check(name, True, check(receipt))
    except Broken as broken:
        return Check(name, False, str(broken))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return Check(name, False, "this part of the receipt is not in its form")


def _platform_signed(receipt: Receipt) -> str:
    signature = receipt.whole["signature"]
    for key in receipt.keys:
        public = log.public_bytes(key)
        if public is not None and log.thumbprint(key) == signature["key"]:
            log.check_signature(public, log.strict_base64(signature["value"]), signed_part(receipt.whole))
            known = (
                "a key that you trust" if receipt.are_pinned else "a key that comes from the receipt itself: compare it"
            )
            return f"with {known} (fingerprint {signature['key']})"
    raise Broken("none of the keys that you trust signed it" if receipt.are_pinned else "its key is missing")


def _checkpoint_signed(receipt: Receipt) -> str:
    checkpoint = log.open_note(receipt.whole["checkpoint"], receipt.keys)
    return f"{checkpoint.origin} with {checkpoint.size} records"


def _records_in_log(receipt: Receipt) -> str:
    checkpoint = log.open_note(receipt.whole["checkpoint"], receipt.keys)
    for entry in receipt.whole["entries"]:
        leaf, proof = log.statement_hash(entry["statement"]), [bytes.fromhex(step) for step in entry["proof"]]
        if log.included_root(leaf, entry["position"], checkpoint.size, proof) != checkpoint.root:
            raise Broken(f"record {entry['position']} is not in the log that was signed")
    return f"{len(receipt.whole['entries'])} records"


def _one_story(receipt: Receipt) -> str:
    positions = [entry["position"] for entry in receipt.whole["entries"]]
    if positions != sorted(set(positions)):
        raise Broken("the records are not in the order of the log")
    facts = receipt.sent["statement"]["facts"]
    stands: dict[str, str] = {}
    for entry in receipt.about("communication:"):
        said = entry["statement"]
        if said["subject"] != receipt.whole["code"] or entry["position"] < receipt.sent["position"]:
            raise Broken(f"record {entry['position']} does not belong to this communication")
        step = Step(said["kind"].removeprefix("communication:"))
        if step is not Step.SENT:
            _follow(stands, step, said, facts["addressees"])
    return "; ".join(f"{agency}: {status}" for agency, status in stands.items())


def _follow(
    stands: dict[str, str], step: Step, said: Mapping[str, Any], addressees: Sequence[Mapping[str, Any]]
) -> None:
    agency = said["facts"]["addressee"]
    if agency not in [addressee["agency"] for addressee in addressees]:
        raise Broken(f"{agency} is no addressee of this communication")
    if step is Step.AVAILABLE:
        stands[agency] = step
    elif agency not in stands or said["agency"] != agency:
        raise Broken(f"the step {step} is not one that {agency} took")
    else:
        try:
            stands[agency] = status_after(stands[agency], step)
        except NotAllowedNow as problem:
            raise Broken(f"{agency} answered twice") from problem


def _sender_signed(receipt: Receipt) -> str:
    facts, token = receipt.sent["statement"]["facts"], receipt.whole["manifest"]
    if hashlib.sha256(token.encode()).hexdigest() != facts["manifest"]:
        raise Broken("the signed manifest is not the one in the record of the sending")
    try:
        said = read_json(open_signed(token, _registered(receipt)["facts"]["key"]))
    except SignatureInvalid as problem:
        raise Broken("the sender's signature does not hold") from problem
    digests = [document["sha256"] for document in said["documents"]]
    if digests != facts["documents"] or said["metadata"]["sender"]["agency"] != facts["sender"]:
        raise Broken("the signed manifest and the record of the sending differ")
    return f"{facts['sender']} signed {len(digests)} documents"


def _registered(receipt: Receipt) -> dict[str, Any]:
    """The statement of the log that binds the sender's key to the sender."""
    facts = receipt.sent["statement"]["facts"]
    for entry in receipt.about("directory:key:registered"):
        said = entry["statement"]
        if said["facts"]["thumbprint"] == facts["thumbprint"] and entry["position"] < receipt.sent["position"]:
            return dict(said)
    raise Broken("the log does not say before the sending whose key it was")


def _key_bound(receipt: Receipt) -> str:
    sender = receipt.sent["statement"]["facts"]
    facts = _registered(receipt)["facts"]
    if facts["agency"] != sender["sender"] or log.thumbprint(facts["key"]) != sender["thumbprint"]:
        raise Broken("the key was registered for another agency")
    for entry in receipt.about("directory:key:revoked"):
        said = entry["statement"]["facts"]
        if said["thumbprint"] == sender["thumbprint"] and entry["position"] < receipt.sent["position"]:
            raise Broken("the key had been revoked when it signed")
    holder = "the agency itself" if facts["held_by"] == "agency" else "the platform, for the agency's officials"
    return f"{sender['thumbprint']}, held by {holder}"


CHECKS: list[tuple[str, Callable[[Receipt], str]]] = [
    ("The platform signed the receipt", _platform_signed),
    ("The platform signed the state of the log", _checkpoint_signed),
    ("Every record is in that log", _records_in_log),
    ("The records tell one story, in order", _one_story),
    ("The sender signed what was sent", _sender_signed),
    ("The log says whose key that is", _key_bound),
]
