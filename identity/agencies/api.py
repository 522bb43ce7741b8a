"""The public list of agencies, their tree on any day, and what changed."""

from __future__ import annotations

from typing import Any

from flask import Response

from identity.agencies.queries import agencies_page, agency_on, changes_page, get_agency
from identity.agencies.schemas import AgenciesQuery, AgencyChangeSchema, AgencySchema, DayQuery
from kernel.api.api_fields import AGENCY_CODE, ListQuery, path
from kernel.api.interface import Blueprint
from kernel.base import clock
from kernel.jobs.access import public

endpoints = Blueprint(
    "agencies_api", __name__, url_prefix="/api/v1/agencies", description="Agencies of the state and their codes"
)
CODE = path("code", AGENCY_CODE, "Its state code", "AE001")


@endpoints.route("", methods=["GET"])
@endpoints.arguments(AgenciesQuery, location="query")
@endpoints.page(AgencySchema)
@public("the state's agencies are no secret")
def list_agencies(query: dict[str, Any]) -> Response:
    """All agencies, in the order of their codes"""
    agencies = agencies_page(
        query["cursor"], query["limit"], on=query["on"], kind=query["kind"], parent=query["parent"]
    )
    return agencies.as_json(AgencySchema().dump)


@endpoints.route("/<code>", methods=["GET"], parameters=[CODE])
@endpoints.arguments(DayQuery, location="query")
@endpoints.response(200, AgencySchema)
@endpoints.alt_response(404, description="No agency has this code")
@public("the state's agencies are no secret")
def show_agency(query: dict[str, Any], code: str) -> Any:
    """One agency"""
    return agency_on(code, query["on"] or clock.today())


@endpoints.route("/<code>/changes", methods=["GET"], parameters=[CODE])
@endpoints.arguments(ListQuery, location="query")
@endpoints.page(AgencyChangeSchema)
@endpoints.alt_response(404, description="No agency has this code")
@public("the state's agencies are no secret")
def list_changes(query: dict[str, Any], code: str) -> Response:
    """The changes of an agency, the latest entry first"""
    agency = get_agency(code)
    return changes_page(agency.code, query["cursor"], query["limit"]).as_json(AgencyChangeSchema().dump)
