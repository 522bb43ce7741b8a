"""Agencies as the API shows them."""

from __future__ import annotations

from identity.agencies.rules import KINDS
from kernel.api import fields, validators
from kernel.api.api_fields import AGENCY_CODE, AN_AGENCY_CODE, ListQuery, Query, Schema, coded

_DAY = {"description": "Only those that exist on this day, as they are then", "example": "2026-03-01"}


def _absent() -> None:
    """Documented as "may be left out", which `None` as a default would not be."""


class DayQuery(Query):
    on = fields.Date(load_default=_absent, metadata={**_DAY, "description": "As it is on this day; today if not given"})


class AgenciesQuery(ListQuery):
    on = fields.Date(load_default=_absent, metadata=_DAY)
    kind = fields.String(load_default=_absent, validate=validators.OneOf(list(KINDS)))
    parent = coded(
        AGENCY_CODE,
        AN_AGENCY_CODE,
        required=False,
        load_default=_absent,
        metadata={"description": "Only those directly below this agency", "example": "AE001"},
    )


class AgencySchema(Schema):
    """An agency of the state, as it is on a day."""

    code = fields.String(
        required=True, metadata={"description": "Its code of the state codes manager", "example": "AE001"}
    )
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validators.OneOf(list(KINDS)))
    parent = fields.String(
        required=True, allow_none=True, metadata={"description": "The agency directly above it; null at the top"}
    )
    valid_from = fields.Date(required=True, metadata={"description": "The first day on which it exists, in Chile"})
    valid_until = fields.Date(
        required=True, allow_none=True, metadata={"description": "The last day; null if no end is known"}
    )
    successor = fields.String(
        required=True, allow_none=True, metadata={"description": "The agency that took over its tasks when it ended"}
    )


class AgencyChangeSchema(Schema):
    """A change of an agency, and the norm behind it."""

    counts_from = fields.Date(required=True, metadata={"description": "The day from which it counts"})
    changed = fields.Dict(
        required=True,
        attribute="fields",
        metadata={"description": "The new value of each field that changed", "example": {"parent": "AE002"}},
    )
    norm = fields.String(required=True)
    changed_at = fields.AwareDateTime(required=True, metadata={"description": "When it was entered"})
