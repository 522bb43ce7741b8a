"""Agreements as JSON, for the two agencies' systems."""

from __future__ import annotations

from typing import Any

from flask import Response

from catalogue.agreements import actions, queries
from catalogue.agreements.rules import CODE, Purpose, Side
from catalogue.agreements.schemas import AgreementRequestSchema, AgreementSchema, AgreementsQuery
from kernel.api.api_fields import path
from kernel.api.interface import Blueprint
from kernel.jobs.access import current_principal, requires, scope

endpoints = Blueprint(
    "agreements_api", __name__, url_prefix="/api/v1/agreements", description="Which agency may use which service"
)
AGREEMENTS = scope("catalogue.agreements")


@endpoints.route("", methods=["GET"])
@endpoints.arguments(AgreementsQuery, location="query")
@endpoints.page(AgreementSchema)
@requires(AGREEMENTS)
def list_agreements(query: dict[str, Any]) -> Response:
    """Your agency's agreements, the newest first"""
    side = Side(query["side"]) if query["side"] else None
    agency = current_principal().acting_agency.code
    page = queries.of_agency(agency, side, cursor=query["cursor"], limit=query["limit"])
    return page.as_json(AgreementSchema().dump)


@endpoints.route("/<code>", methods=["GET"], parameters=[path("code", CODE, "The agreement's code", "ACU-2026-000001")])
@endpoints.response(200, AgreementSchema)
@endpoints.alt_response(404, description="Your agency has no agreement with this code")
@requires(AGREEMENTS)
def show_agreement(code: str) -> Any:
    """One agreement of your agency"""
    return queries.find(code, current_principal())


@endpoints.route("", methods=["POST"])
@endpoints.arguments(AgreementRequestSchema)
@endpoints.response(201, AgreementSchema)
@endpoints.alt_response(404, description="No such version is published")
@endpoints.alt_response(409, description="An open agreement covers it, or it is your own service")
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(AGREEMENTS)
def request_agreement(body: dict[str, Any]) -> Any:
    """Ask a service's owner for an agreement"""
    purpose = Purpose.checked(
        text=body["purpose"],
        legal_basis=body["legal_basis"],
        personal_data=body["personal_data"],
        daily_calls=body["daily_calls"],
    )
    return actions.request_agreement(current_principal(), body["service"], body["version"], purpose)
