"""Receipts of communications: what one has to hold, checked offline by anybody who has the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interoperability.communications.rules import NotAllowedNow, Step, Transition, next_status
from interoperability.directory.rules import SignatureInvalid, open_signed
from interoperability.evidence import rules as log
from interoperability.evidence.rules import BrokenProof
from kernel.base.canonical import canonical_json, read_json

RECEIPT_FORMAT = "cordillera-receipt-1"
LARGEST_RECEIPT = 16 * 1024 * 1024
MEMBERS = {"format", "code", "checkpoint", "entries", "manifest", "keys", "signature"}
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
        entries = self.about(f"communication:{Step.SENT}")
        if len(entries) != 1:
            raise BrokenProof("the receipt needs exactly one record of the sending")
        return dict(entries[0])


def write_receipt(receipt: Mapping[str, Any]) -> bytes:
    """The one way in which a receipt is spelled."""
    return (json.dumps(receipt, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def signed_part(receipt: Mapping[str, Any]) -> bytes:
    """Everything but the signature: the platform signs this."""
    return canonical_json({name: value for name, value in receipt.items() if name != "signature"})


def verify(content: bytes, pinned: list[dict[str, Any]] | None = None) -> list[Check]:
    """Check a receipt file offline. pinned: the platform's keys (JWKs) that the reader trusts; else those it brings."""
    whole = "The file is a receipt, exactly as it was written"
    try:
        receipt = _read(content, pinned)
    except (BrokenProof, ValueError, KeyError, TypeError, RecursionError) as error:
        return [Check(whole, False, str(error) if isinstance(error, BrokenProof) else "it cannot be read as one")]
    return [Check(whole, True, f"it speaks of {receipt.whole['code']}"), *(_run(receipt, *each) for each in CHECKS)]


def documents_of(content: bytes) -> list[str]:
    """The digests of the documents that a verified receipt speaks of."""
    sent = Receipt(json.loads(content), [], are_pinned=False).sent
    return list(sent["statement"]["facts"]["documents"])


def _read(content: bytes, pinned: list[dict[str, Any]] | None) -> Receipt:
    if len(content) > LARGEST_RECEIPT:
        raise BrokenProof("it is larger than any receipt")
    whole = read_json(content)
    if not isinstance(whole, dict) or whole.get("format") != RECEIPT_FORMAT:
        raise BrokenProof("it is not a receipt of this format")
    if write_receipt(whole) != content:
        raise BrokenProof("it was written again by other means, or altered")
    if set(whole) != MEMBERS:
        raise BrokenProof("it has members that no receipt has, or lacks one")
    # Everything else is signed; of the signature itself only its form says that nothing was put into it.
    if set(whole["signature"]) != SIGNATURE_MEMBERS:
        raise BrokenProof("its signature has members that no receipt has, or lacks one")
    return Receipt(whole, pinned if pinned is not None else whole["keys"], pinned is not None)


def _run(receipt: Receipt, name: str, check: Callable[[Receipt], str]) -> Check:
    try:
        return Check(name, True, check(receipt))
    except BrokenProof as broken:
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
    raise BrokenProof("none of the keys that you trust signed it" if receipt.are_pinned else "its key is missing")


def _checkpoint_signed(receipt: Receipt) -> str:
    checkpoint = log.open_note(receipt.whole["checkpoint"], receipt.keys)
    return f"{checkpoint.origin} with {checkpoint.size} records"


def _records_in_log(receipt: Receipt) -> str:
    checkpoint = log.open_note(receipt.whole["checkpoint"], receipt.keys)
    for entry in receipt.whole["entries"]:
        leaf, proof = log.statement_hash(entry["statement"]), [bytes.fromhex(step) for step in entry["proof"]]
        if log.included_root(leaf, entry["position"], checkpoint.size, proof) != checkpoint.root:
            raise BrokenProof(f"record {entry['position']} is not in the log that was signed")
    return f"{len(receipt.whole['entries'])} records"


def _one_story(receipt: Receipt) -> str:
    positions = [entry["position"] for entry in receipt.whole["entries"]]
    if positions != sorted(set(positions)):
        raise BrokenProof("the records are not in the order of the log")
    facts = receipt.sent["statement"]["facts"]
    stands: dict[str, str] = {}
    for entry in receipt.about("communication:"):
        statement = entry["statement"]
        if statement["subject"] != receipt.whole["code"] or entry["position"] < receipt.sent["position"]:
            raise BrokenProof(f"record {entry['position']} does not belong to this communication")
        step = Step(statement["kind"].removeprefix("communication:"))
        if step is not Step.SENT:
            _follow(stands, step, statement, facts["addressees"])
    return "; ".join(f"{agency}: {status}" for agency, status in stands.items())


def _follow(
    stands: dict[str, str], step: Step, statement: Mapping[str, Any], addressees: Sequence[Mapping[str, Any]]
) -> None:
    agency = statement["facts"]["addressee"]
    if agency not in [addressee["agency"] for addressee in addressees]:
        raise BrokenProof(f"{agency} is no addressee of this communication")
    if step is Step.AVAILABLE:
        stands[agency] = step
    elif agency not in stands or statement["agency"] != agency:
        raise BrokenProof(f"the step {step} is not one that {agency} took")
    else:
        try:
            stands[agency] = next_status(stands[agency], Transition(step))
        except NotAllowedNow as problem:
            raise BrokenProof(f"{agency} answered twice") from problem


def _sender_signed(receipt: Receipt) -> str:
    facts, token = receipt.sent["statement"]["facts"], receipt.whole["manifest"]
    if hashlib.sha256(token.encode()).hexdigest() != facts["manifest"]:
        raise BrokenProof("the signed manifest is not the one in the record of the sending")
    try:
        manifest = read_json(open_signed(token, _registered(receipt)["facts"]["key"]))
    except SignatureInvalid as problem:
        raise BrokenProof("the sender's signature does not hold") from problem
    digests = [document["sha256"] for document in manifest["documents"]]
    if digests != facts["documents"] or manifest["metadata"]["sender"]["agency"] != facts["sender"]:
        raise BrokenProof("the signed manifest and the record of the sending differ")
    return f"{facts['sender']} signed {len(digests)} documents"


def _registered(receipt: Receipt) -> dict[str, Any]:
    """The statement of the log that binds the sender's key to the sender."""
    facts = receipt.sent["statement"]["facts"]
    for entry in receipt.about("directory:key:registered"):
        statement = entry["statement"]
        if statement["facts"]["thumbprint"] == facts["thumbprint"] and entry["position"] < receipt.sent["position"]:
            return dict(statement)
    raise BrokenProof("the log does not say before the sending whose key it was")


def _key_bound(receipt: Receipt) -> str:
    sender = receipt.sent["statement"]["facts"]
    facts = _registered(receipt)["facts"]
    if facts["agency"] != sender["sender"] or log.thumbprint(facts["key"]) != sender["thumbprint"]:
        raise BrokenProof("the key was registered for another agency")
    for entry in receipt.about("directory:key:revoked"):
        binding = entry["statement"]["facts"]
        if binding["thumbprint"] == sender["thumbprint"] and entry["position"] < receipt.sent["position"]:
            raise BrokenProof("the key had been revoked when it signed")
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
