"""The list of what waits for an official, and for an agency's systems (`kernel.recording.pending`)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, request

from kernel.api import fields
from kernel.api.api_fields import ListQuery, Schema
from kernel.api.interface import Blueprint as ApiBlueprint
from kernel.base.errors import Text, _
from kernel.base.installation import settings
from kernel.composition import Composition
from kernel.jobs.access import current_principal, official, requires, scope
from kernel.recording.pending import PendingDecision, pending_decisions

SCOPE = "decisions.read"
SCOPE_LABEL: Text = _("See what is waiting for the agency")
pages = Blueprint("pending", __name__, template_folder="templates")
endpoints = ApiBlueprint(
    "pending_api",
    __name__,
    url_prefix="/api/v1/pending-decisions",
    title="Pending decisions",
    description="What is waiting for an agency",
)


def compose(composition: Composition) -> None:
    """The page, the list for programs, and its scope."""
    composition.pages.append(pages)
    composition.endpoints.append(endpoints)
    composition.machine_scopes[SCOPE] = SCOPE_LABEL


@pages.get("/agency/pending")
@requires(official)
def list_pending() -> str:
    """List what waits for the official at the agency acted for: what is overdue first, and of that the oldest."""
    decisions = pending_decisions(current_principal(), cursor=request.args.get("cursor"))
    return render_template("portal/pending.html", page=decisions, agency=current_principal().acting_agency)


class PendingDecisionSchema(Schema):
    """Something that waits for a decision."""

    kind = fields.String(
        required=True,
        metadata={
            "description": "Its kind; kinds may be added",
            "example": "agreement-request",
        },
    )
    title = fields.String(required=True)
    party = fields.String(
        required=True, metadata={"description": "For whom it is waiting, by kind and code", "example": "agency:AE001"}
    )
    roles = fields.List(
        fields.String(), required=True, metadata={"description": "Officials with one of these roles decide"}
    )
    since = fields.DateTime(required=True, metadata={"description": "When it began to wait"})
    due = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it is due; null where there is no term"}
    )
    is_overdue = fields.Boolean(required=True)
    href = fields.String(
        required=True, metadata={"format": "url", "description": "The page on which an official decides it"}
    )


@endpoints.route("", methods=["GET"])
@endpoints.arguments(ListQuery, location="query")
@endpoints.page(PendingDecisionSchema)
@requires(scope(SCOPE))
def list_pending_decisions(query: dict[str, Any]) -> Response:
    """Your agency's pending decisions, what is overdue first, then the oldest"""
    decisions = pending_decisions(current_principal(), cursor=query["cursor"], limit=query["limit"])
    return decisions.as_json(_shown)


def _shown(pending: PendingDecision) -> Any:
    whole = {
        **vars(pending),
        "kind": pending.kind.name,
        "roles": sorted(pending.kind.roles),
        "party": str(pending.party),
        "href": settings().base_url + pending.href,
    }
    return PendingDecisionSchema().dump(whole)
