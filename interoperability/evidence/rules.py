"""The append-only log: its Merkle tree (RFC 6962), its statements, its checkpoints (C2SP tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kernel.base.canonical import canonical_json
from kernel.base.errors import Conflict, _

Node = tuple[int, int]
"""A complete subtree: its level (0 are the leaves) and its number on that level, from the left."""
Range = tuple[int, int]
"""Leaves from the first number up to, not including, the second."""


class ReceiptNotReady(Conflict):
    kind = "receipt-not-ready"
    title = _("The receipt is not ready yet")
    explanation = _("The last step is being sealed into the evidence log. That takes about a second.")
    remedy = _("Try again in a second.")


class BrokenProof(Exception):
    """A proof or signature does not hold; the message says which, in plain words."""


# ---- the tree ----


def leaf_hash(content: bytes) -> bytes:
    """Hash a leaf of the Merkle tree (RFC 9162 2.1.1)."""
    # RFC 6962 2.1: leaves and nodes are hashed with different first bytes, so that one never passes for the other.
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node of the Merkle tree (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(frontier: Sequence[bytes]) -> bytes:
    """The root over complete subtrees, largest first; that of the empty tree is the hash of nothing."""
    if not frontier:
        return hashlib.sha256().digest()
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def grow(size: int, frontier: Sequence[bytes], leaves: Iterable[bytes]) -> tuple[dict[Node, bytes], list[bytes]]:
    """Append leaf hashes to a tree of `size` leaves: the complete subtrees that come to be, and the new frontier."""
    made: dict[Node, bytes] = {}
    stack = list(frontier)
    for position, leaf in enumerate(leaves, start=size):
        level, number, digest = 0, position, leaf
        made[level, number] = digest
        while number & 1:
            level, number, digest = level + 1, number >> 1, node_hash(stack.pop(), digest)
            made[level, number] = digest
        stack.append(digest)
    return made, stack


def subtrees(leaves: Range) -> list[Node]:
    """The complete subtrees that cover a range of RFC 6962's recursion, from the left."""
    start, end = leaves
    roots = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        roots.append((level, start >> level))
        start += 1 << level
    return roots


def range_hash(leaves: Range, nodes: Mapping[Node, bytes]) -> bytes:
    """The hash of a range out of its complete subtrees."""
    return root_of([nodes[node] for node in subtrees(leaves)])


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(position: int, size: int) -> list[Range]:
    """The ranges whose hashes prove that leaf `position` is in the tree of `size` leaves (RFC 6962 2.1.1)."""
    start, end = 0, size
    ranges = []
    while end - start > 1:
        middle = start + _split(end - start)
        if position < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose hashes prove that the tree of `old` leaves begins that of `new` (RFC 6962 2.1.2)."""
    if not 0 < old < new:
        return []
    start, end = 0, new
    ranges = []
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        ranges.append((start, end))
    return ranges[::-1]


def included_root(leaf: bytes, position: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the proof leads to (RFC 9162 2.1.3.2). Raises Broken."""
    if not 0 <= position < size:
        raise BrokenProof("the record's position lies outside the log")
    number, last, root = position, size - 1, leaf
    for step in proof:
        if last == 0:
            raise BrokenProof("the inclusion proof is too long")
        if number & 1 or number == last:
            root = node_hash(step, root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            root = node_hash(root, step)
        number, last = number >> 1, last >> 1
    if last:
        raise BrokenProof("the inclusion proof is too short")
    return root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the older tree is the beginning of the newer one (RFC 9162 2.1.4.2)."""
    if old == new:
        return old_root == new_root and not proof
    if old == 0:
        return old_root == root_of([]) and not proof
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path or old > new:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, step)
        number, last = number >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


# ---- statements ----


def statement_hash(statement: Mapping[str, Any]) -> bytes:
    """The leaf of a statement."""
    return leaf_hash(canonical_json(statement))


# ---- checkpoints ----

DASH = "\u2014"
ED25519 = b"\x01"


@dataclass(frozen=True)
class Checkpoint:
    """The state of the log that the platform signed: how many records, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def signed_note(checkpoint: Checkpoint, public: bytes, signature: bytes) -> str:
    """The checkpoint with its Ed25519 signature line. `public`: the raw 32 bytes of the key."""
    line = base64.b64encode(_note_key_id(checkpoint.origin, public) + signature).decode()
    return f"{checkpoint.text}\n{DASH} {checkpoint.origin} {line}\n"


def open_note(note: str, keys: Iterable[Mapping[str, Any]]) -> Checkpoint:
    """The checkpoint of a note that one of the keys (JWKs) signed. Raises Broken."""
    text, _separator, signature = note.rpartition(f"\n{DASH} ")
    name, _space, encoded = signature.rstrip("\n").partition(" ")
    lines = text.split("\n")
    try:
        origin, size, root, end = lines
        checkpoint = Checkpoint(origin, int(size), strict_base64(root))
        signed = strict_base64(encoded)
    except (ValueError, binascii.Error) as error:
        raise BrokenProof("the checkpoint is not readable") from error
    if end or name != origin or checkpoint.text != text:
        raise BrokenProof("the checkpoint is not in its own form")
    for key in keys:
        public = public_bytes(key)
        if public is not None and signed[:4] == _note_key_id(name, public):
            check_signature(public, signed[4:], checkpoint.text.encode())
            return checkpoint
    raise BrokenProof("none of the platform's keys signed the checkpoint")


def _note_key_id(name: str, public: bytes) -> bytes:
    # C2SP signed-note: SHA-256(key name || 0x0A || signature type || public key), its first four bytes.
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def strict_base64(text: str) -> bytes:
    """Base64 with only one accepted spelling. Raises ValueError."""
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("not canonical base64")
    return content


def public_bytes(jwk: Mapping[str, Any]) -> bytes | None:
    """The raw Ed25519 key of a JWK (RFC 8037); None for another kind."""
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        return None
    try:
        raw = base64.urlsafe_b64decode(str(jwk.get("x", "")) + "=")
    except (ValueError, binascii.Error):
        return None
    return raw if len(raw) == 32 else None


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The fingerprint of a public key (RFC 7638), base64url."""
    members = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
    chosen = {name: str(jwk.get(name)) for name in members.get(str(jwk.get("kty")), ("kty",))}
    return base64.urlsafe_b64encode(hashlib.sha256(canonical_json(chosen)).digest()).decode().rstrip("=")


def check_signature(public: bytes, signature: bytes, content: bytes) -> None:
    """Raises Broken unless the Ed25519 key signed the content."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError) as error:
        raise BrokenProof("the signature does not hold") from error
