"""The public list of agencies."""

from __future__ import annotations

from typing import Any

from flask import Response

from identity.agencies.queries import agencies_page, get_agency
from identity.agencies.schemas import AgencySchema
from kernel.api.api_fields import AGENCY_CODE, ListQuery, path
from kernel.api.interface import Blueprint
from kernel.jobs.access import public

endpoints = Blueprint(
    "agencies_api", __name__, url_prefix="/api/v1/agencies", description="Agencies of the state and their codes"
)


@endpoints.route("", methods=["GET"])
@endpoints.arguments(ListQuery, location="query")
@endpoints.page(AgencySchema)
@public("the state's agencies are no secret")
def list_agencies(query: dict[str, Any]) -> Response:
    """All agencies, in the order of their codes"""
    return agencies_page(query["cursor"], query["limit"]).as_json(AgencySchema().dump)


@endpoints.route("/<code>", methods=["GET"], parameters=[path("code", AGENCY_CODE, "Its state code", "AE001")])
@endpoints.response(200, AgencySchema)
@endpoints.alt_response(404, description="No agency has this code")
@public("the state's agencies are no secret")
def show_agency(code: str) -> Any:
    """One agency"""
    return get_agency(code)
