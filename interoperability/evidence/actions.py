"""Writing to the log: records are appended in the transaction of what they speak of, and sealed afterwards."""

from __future__ import annotations

from typing import Any

from joserfc.util import urlsafe_b64decode
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from interoperability.evidence import rules
from interoperability.evidence.models import EvidenceCheckpoint, EvidenceEntry, EvidenceNode
from interoperability.evidence.queries import ALGORITHM, PURPOSE, frontier, latest_checkpoint, origin
from kernel.base import clock
from kernel.base.canonical import canonical_json
from kernel.base.ids import new_id
from kernel.keys.signatures import sign
from kernel.recording.sealing import BATCH
from kernel.recording.work import Work


def append(work: Work, kind: str, subject: str, facts: dict[str, Any]) -> EvidenceEntry:
    """Write a record into the caller's transaction. facts: strings, whole numbers, lists, objects; no document."""
    agency = work.by.agency
    identifier = new_id()
    statement = {
        "id": str(identifier),
        "at": work.now.isoformat(timespec="microseconds"),
        "kind": kind,
        "subject": subject,
        "agency": agency.code if agency else None,
        "facts": facts,
    }
    text = canonical_json(statement).decode()
    entry = EvidenceEntry(id=identifier, at=work.now, kind=kind, subject=subject, statement=text)
    work.add(entry)
    work.session.flush()
    return entry


def seal_batch(session: Session, limit: int = BATCH) -> int:
    """Give the records that wait, at most so many, their places in the tree and sign its new state.

    Returns how many they were.

    Only the one sealer calls this, in its transaction.
    """
    query = select(EvidenceEntry).where(EvidenceEntry.position.is_(None)).order_by(EvidenceEntry.number).limit(limit)
    waiting = session.scalars(query).all()
    if not waiting:
        return 0
    newest = latest_checkpoint(session)
    size = newest.size if newest else 0
    leaves = [rules.leaf_hash(entry.statement.encode()) for entry in waiting]
    made, new_frontier = rules.grow(size, frontier(session, size), leaves)
    session.execute(
        insert(EvidenceNode),
        [{"level": level, "number": number, "hash": digest} for (level, number), digest in made.items()],
    )
    session.execute(
        update(EvidenceEntry),
        [{"number": entry.number, "position": position} for position, entry in enumerate(waiting, start=size)],
    )
    root = rules.root_of(new_frontier)
    note = _sign(rules.Checkpoint(origin(), size + len(waiting), root))
    session.add(EvidenceCheckpoint(size=size + len(waiting), root=root, note=note, signed_at=clock.now()))
    session.flush()
    return len(waiting)


def _sign(checkpoint: rules.Checkpoint) -> str:
    value, jwk = sign(PURPOSE, checkpoint.text.encode(), ALGORITHM)
    return rules.signed_note(checkpoint, urlsafe_b64decode(jwk["x"].encode()), value)


def sign_receipt(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The platform's public key and its Ed25519 signature over the content."""
    value, jwk = sign(PURPOSE, content, ALGORITHM)
    return jwk, value
