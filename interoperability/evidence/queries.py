"""Reading the log: records, checkpoints and proofs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from interoperability.evidence import rules
from interoperability.evidence.models import EvidenceCheckpoint, EvidenceEntry, EvidenceNode
from interoperability.evidence.rules import BrokenProof, Node, Range
from kernel.base.errors import NotFound, _
from kernel.base.installation import SETTINGS
from kernel.database.db import session
from kernel.keys.signatures import SigningKey
from kernel.recording.sealing import Seal, Unsealed

PURPOSE, ALGORITHM = "evidence", "EdDSA"
AUDIT_BATCH = 1_000


@dataclass(frozen=True)
class InclusionProof:
    """A record with its place in the log and the hashes that prove it."""

    position: int
    statement: dict[str, Any]
    proof: list[bytes]

    def as_json(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "statement": self.statement,
            "proof": [step.hex() for step in self.proof],
        }


@dataclass(frozen=True)
class Verdict:
    """The finding of a recomputation of the log: `broken` names the first thing that does not hold, None for a log that
    holds.
    """

    entries: int
    checkpoints: int
    unsealed: int
    broken: str | None


def platform_keys(current: Session | None = None) -> list[dict[str, Any]]:
    """Every public key that ever signed checkpoints and receipts: old receipts stay verifiable."""
    query = select(SigningKey).where(SigningKey.purpose == PURPOSE, SigningKey.algorithm == ALGORITHM)
    return [row.public_jwk for row in (current or session()).scalars(query.order_by(SigningKey.signs_from.desc()))]


def latest_checkpoint(current: Session | None = None) -> EvidenceCheckpoint | None:
    """The newest signed state of the log."""
    query = select(EvidenceCheckpoint).order_by(EvidenceCheckpoint.size.desc()).limit(1)
    return (current or session()).scalars(query).first()


def unsealed(current: Session) -> Unsealed:
    """The records that have no place in the tree yet."""
    query = select(func.count(), func.min(EvidenceEntry.at)).where(EvidenceEntry.position.is_(None))
    return Unsealed(*current.execute(query).one())


def seal_of(current: Session, size: int | None) -> Seal | None:
    """The checkpoint of a size, the newest one for None; its digest is that of the whole signed note."""
    query = select(EvidenceCheckpoint).order_by(EvidenceCheckpoint.size.desc()).limit(1)
    checkpoint = current.scalars(query if size is None else query.where(EvidenceCheckpoint.size == size)).first()
    return Seal(checkpoint.size, hashlib.sha256(checkpoint.note.encode()).digest()) if checkpoint else None


def signed_checkpoint() -> str:
    """The newest checkpoint as a signed note. Raises NotFound for a log without records."""
    newest = latest_checkpoint()
    if newest is None:
        raise NotFound()
    return newest.note


def nodes_of(current: Session, ranges: Iterable[Range]) -> dict[Node, bytes]:
    """The stored subtrees that cover the ranges, in one read."""
    wanted = {node for each in ranges for node in rules.subtrees(each)}
    if not wanted:
        return {}
    rows = current.execute(
        select(EvidenceNode.level, EvidenceNode.number, EvidenceNode.hash).where(
            tuple_(EvidenceNode.level, EvidenceNode.number).in_(wanted)
        )
    )
    return {(level, number): digest for level, number, digest in rows}


def frontier(current: Session, size: int) -> list[bytes]:
    """The complete subtrees of a log of `size` records, largest first."""
    whole = (0, size)
    nodes = nodes_of(current, [whole])
    return [nodes[node] for node in rules.subtrees(whole)]


def inclusion_proof(subjects: Sequence[str]) -> tuple[str, list[InclusionProof]]:
    """The newest checkpoint and every record of the subjects with its proof under it, in the order of the log.

    Raises ReceiptNotReady while one of them is not sealed.
    """
    query = select(EvidenceEntry).where(EvidenceEntry.subject.in_(subjects)).order_by(EvidenceEntry.position)
    newest = latest_checkpoint()
    entries = session().scalars(query).all()
    positions = [entry.position for entry in entries if entry.position is not None]
    if newest is None or len(positions) < len(entries) or any(each >= newest.size for each in positions):
        raise rules.ReceiptNotReady(headers={"Retry-After": "1"})
    paths = {position: rules.inclusion_ranges(position, newest.size) for position in positions}
    nodes = nodes_of(session(), [each for path in paths.values() for each in path])
    return newest.note, [
        InclusionProof(
            position, json.loads(entry.statement), [rules.range_hash(each, nodes) for each in paths[position]]
        )
        for position, entry in zip(positions, entries, strict=True)
    ]


def consistency_proof(old: int, new: int) -> dict[str, Any]:
    """That the log of `new` records begins with that of `old`. Raises NotFound unless 1 <= old <= new <= its size."""
    newest = latest_checkpoint()
    if newest is None or not 1 <= old <= new <= newest.size:
        raise NotFound(_("Two sizes of the log, the smaller one first."))
    ranges = rules.consistency_ranges(old, new)
    nodes = nodes_of(session(), [*ranges, (0, old), (0, new)])
    return {
        "from": {"size": old, "root": rules.range_hash((0, old), nodes).hex()},
        "to": {"size": new, "root": rules.range_hash((0, new), nodes).hex()},
        "proof": [rules.range_hash(each, nodes).hex() for each in ranges],
    }


# ---- the whole log ----


def audit() -> Verdict:
    """Recompute the log from its records: every leaf, every stored subtree, every checkpoint and its signature."""
    current = session()
    waiting, keys = unsealed(current).records, platform_keys(current)
    size, checkpoints, stack = 0, 0, list[bytes]()
    try:
        for batch in _batches(current):
            leaves = [_checked_leaf(entry, size + offset) for offset, entry in enumerate(batch)]
            _compare_nodes(current, rules.grow(size, stack, leaves)[0])
            end = size + len(leaves)
            for checkpoint in _checkpoints(current, size, end):
                grown = leaves[size - end : checkpoint.size - end or None]
                size, stack = checkpoint.size, rules.grow(size, stack, grown)[1]
                _check_checkpoint(checkpoint, rules.root_of(stack), keys)
                checkpoints += 1
            if size < end:
                size, stack = end, rules.grow(size, stack, leaves[size - end :])[1]
        _check_end(current, size)
    except BrokenProof as broken:
        return Verdict(size, checkpoints, waiting, str(broken))
    return Verdict(size, checkpoints, waiting, None)


def _checkpoints(current: Session, after: int, until: int) -> Sequence[EvidenceCheckpoint]:
    query = select(EvidenceCheckpoint).where(EvidenceCheckpoint.size > after, EvidenceCheckpoint.size <= until)
    return current.scalars(query.order_by(EvidenceCheckpoint.size)).all()


def _check_end(current: Session, size: int) -> None:
    newest = latest_checkpoint(current)
    if (newest.size if newest else 0) != size:
        raise BrokenProof(f"the log has {size} records, which is not where its last checkpoint stands")


def _batches(current: Session) -> Iterator[Sequence[EvidenceEntry]]:
    after = -1
    while True:
        query = select(EvidenceEntry).where(EvidenceEntry.position > after).order_by(EvidenceEntry.position)
        batch = current.scalars(query.limit(AUDIT_BATCH)).all()
        if not batch:
            return
        yield batch
        after = batch[-1].position or 0
        current.expunge_all()


def _checked_leaf(entry: EvidenceEntry, position: int) -> bytes:
    if entry.position != position:
        raise BrokenProof(f"record {position} is missing")
    try:
        statement = dict(json.loads(entry.statement))
    except (ValueError, TypeError) as error:
        raise BrokenProof(f"record {position} was altered: its statement cannot be read") from error
    columns = {"id": str(entry.id), "at": entry.at.isoformat(timespec="microseconds"), "kind": entry.kind}
    if (
        any(statement.get(name) != value for name, value in columns.items())
        or statement.get("subject") != entry.subject
    ):
        raise BrokenProof(f"record {position} was altered: its columns differ from its statement")
    return rules.leaf_hash(entry.statement.encode())


def _compare_nodes(current: Session, made: dict[Node, bytes]) -> None:
    rows = current.execute(
        select(EvidenceNode.level, EvidenceNode.number, EvidenceNode.hash).where(
            tuple_(EvidenceNode.level, EvidenceNode.number).in_(made)
        )
    )
    stored = {(level, number): digest for level, number, digest in rows}
    for (level, number), digest in made.items():
        if stored.get((level, number)) != digest:
            first = number << level
            raise BrokenProof(f"a record from {first} to {first + (1 << level) - 1} was altered, or its hash was")


def _check_checkpoint(checkpoint: EvidenceCheckpoint, root: bytes, keys: list[dict[str, Any]]) -> None:
    try:
        signed = rules.open_note(checkpoint.note, keys)
    except BrokenProof as broken:
        raise BrokenProof(f"checkpoint {checkpoint.size}: {broken}") from broken
    if (signed.size, signed.root) != (checkpoint.size, root) or checkpoint.root != root:
        raise BrokenProof(f"checkpoint {checkpoint.size} was signed over other records")


def origin() -> str:
    """The log's name in its checkpoints: this installation's address without its scheme."""
    base_url = SETTINGS().base_url
    return f"{base_url.partition('://')[2]}/evidence"
