"""Writing receipts, each signed by the platform for the party that asks for it."""

from __future__ import annotations

import base64
from typing import Any

from interoperability.communications import queries
from interoperability.directory.actions import evidence_subject
from interoperability.evidence.actions import sign_receipt
from interoperability.evidence.queries import inclusion_proof, platform_keys
from interoperability.evidence.rules import thumbprint
from interoperability.receipts import rules
from kernel.jobs.access import Principal


def write_receipt(principal: Principal, code: str) -> bytes:
    """The receipt of a communication as the principal's agency sees it. Raises NotFound, NotYours, ReceiptNotReady."""
    view = queries.find(principal, code)
    checkpoint, entries = inclusion_proof([code, evidence_subject(view.communication.thumbprint)])
    visible = [
        one for one in entries if view.is_sender or one.statement["facts"].get("addressee") in (None, view.agency)
    ]
    receipt: dict[str, Any] = {
        "format": rules.RECEIPT_FORMAT,
        "code": code,
        "checkpoint": checkpoint,
        "entries": [one.as_json() for one in visible],
        "manifest": view.communication.manifest,
        "keys": platform_keys(),
    }
    public, signature = sign_receipt(rules.signed_part(receipt))
    receipt["signature"] = {"key": thumbprint(public), "value": base64.b64encode(signature).decode()}
    return rules.write_receipt(receipt)
