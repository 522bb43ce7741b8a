"""The functions of an agency, for the systems of others."""

from __future__ import annotations

from typing import Any

from identity.agencies.queries import get_agency
from identity.officials.queries import appointments_of
from identity.officials.schemas import AppointmentsSchema
from kernel.api.api_fields import AGENCY_CODE, path
from kernel.api.interface import Blueprint
from kernel.jobs.access import machine, requires

endpoints = Blueprint(
    "officials_api", __name__, url_prefix="/api/v1/agencies", description="Officials of agencies and their functions"
)


@endpoints.route(
    "/<code>/functions", methods=["GET"], parameters=[path("code", AGENCY_CODE, "Its state code", "AE001")]
)
@endpoints.response(200, AppointmentsSchema)
@endpoints.alt_response(404, description="No agency has this code")
@requires(machine)
def list_functions(code: str) -> Any:
    """The functions of an agency with who holds them, now and to come"""
    agency = get_agency(code)
    items = [
        {
            "function": one.function,
            "person": person.name,
            "is_deputy": one.is_deputy,
            "starts_on": one.starts_on,
            "ends_on": one.ends_on,
            "norm": one.norm,
        }
        for one, person in appointments_of(agency.code)
    ]
    return {"items": items, "next": None}
