"""The page that hands a receipt over as a file."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from interoperability.communications.web import CORRESPONDENT
from interoperability.evidence.rules import ReceiptNotReady
from interoperability.receipts import actions
from kernel.jobs.access import current_principal, requires, role

pages = Blueprint("receipts", __name__, url_prefix="/agency/communications")


@pages.get("/<code>/receipt")
@requires(role(CORRESPONDENT))
def receipt(code: str) -> AnyResponse:
    """The receipt as a file, once the last step is sealed."""
    try:
        content = actions.write_receipt(current_principal(), code)
    except ReceiptNotReady as problem:
        flash(problem.explanation, "info")
        return redirect(url_for("communications.show", code=code), 303)
    response = Response(content, mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"{code}-receipt.json")
    return response
