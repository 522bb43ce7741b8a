"""The public list of agencies."""

from __future__ import annotations

from typing import Any

from flask import Response

from identity.agencies.queries import agencies_page, get_agency
from identity.agencies.schemas import AgencyPageSchema, AgencySchema, PageQuerySchema
from kernel.access import public
from kernel.api import Blueprint, ProblemSchema

endpoints = Blueprint(
    "agencies_api", __name__, url_prefix="/api/v1/agencies", description="Agencies of the state and their codes"
)


@endpoints.route("", methods=["GET"])
@endpoints.arguments(PageQuerySchema, location="query")
@endpoints.response(200, AgencyPageSchema)
@endpoints.alt_response(422, schema=ProblemSchema, description="The cursor or the limit is wrong")
@public("the state's agencies are no secret")
def list_agencies(query: dict[str, Any]) -> Response:
    """All agencies, in the order of their codes"""
    return agencies_page(query.get("cursor"), query.get("limit")).as_json(AgencySchema().dump)


@endpoints.route("/<code>", methods=["GET"])
@endpoints.response(200, AgencySchema)
@endpoints.alt_response(404, schema=ProblemSchema, description="No agency has this code")
@public("the state's agencies are no secret")
def show_agency(code: str) -> Any:
    """One agency"""
    return get_agency(code)
