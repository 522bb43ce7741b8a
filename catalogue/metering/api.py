"""The JSON interface of an agreement's use."""

from __future__ import annotations

from typing import Any

from catalogue.agreements.queries import find
from catalogue.gateway.queries import calls_today
from catalogue.metering.queries import by_day
from catalogue.metering.schemas import UsageQuery, UsageSchema
from kernel.api.interface import Blueprint
from kernel.jobs.access import current_principal, requires, scope

endpoints = Blueprint("usage_api", __name__, url_prefix="/api/v1/usage", description="How much an agreement is used")


@endpoints.route("", methods=["GET"])
@endpoints.arguments(UsageQuery, location="query")
@endpoints.response(200, UsageSchema)
@endpoints.alt_response(404, description="Your agency has no agreement with this code")
@endpoints.doc(operationId="showUsage")
@requires(scope("catalogue.usage"))
def usage(query: dict[str, Any]) -> dict[str, Any]:
    """An agreement's calls by day; both agencies see the same."""
    agreement = find(query["agreement"], current_principal())
    return {
        "agreement": agreement.code,
        "daily_calls": agreement.daily_calls,
        "left_today": max(agreement.daily_calls - calls_today(agreement.code), 0),
        "items": by_day(agreement.code),
        "next": None,
    }
