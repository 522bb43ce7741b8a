"""Notices and preferences as the API shows them."""

from __future__ import annotations

from typing import Any

from kernel.api import fields, validators
from kernel.api.api_fields import Body, Schema
from kernel.base.notices import TIMINGS, Timing

CHANNEL = validators.OneOf(list(TIMINGS))
TIMING = validators.OneOf([str(one) for one in Timing])
NOTICE_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MOST_KINDS = 100


class NoticeSchema(Schema):
    """A notice in the words in which the person was told."""

    id = fields.String(required=True, metadata={"format": "uuid"})
    kind = fields.String(required=True, metadata={"example": "agreements.requested"})
    title = fields.String(required=True)
    text = fields.String(required=True)
    link = fields.String(
        required=True, allow_none=True, metadata={"description": "The page that it leads to; null where there is none"}
    )
    created_at = fields.DateTime(required=True)
    read_at = fields.DateTime(required=True, allow_none=True, metadata={"description": "Null until it is read"})


def _timings(required: bool, **more: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=CHANNEL), values=fields.String(validate=TIMING), required=required, **more
    )


class PreferenceSchema(Schema):
    """A kind of notice that may concern the person, and how soon each channel tells them of it."""

    kind = fields.String(required=True, metadata={"example": "agreements.requested"})
    group = fields.String(required=True, metadata={"description": "What it is about, in words"})
    label = fields.String(required=True, metadata={"description": "What happens, in words"})
    timings = _timings(True, metadata={"description": "By channel", "example": {"page": "now", "mail": "daily"}})
    offered = fields.Dict(
        keys=fields.String(validate=CHANNEL),
        values=fields.List(fields.String(validate=TIMING)),
        required=True,
        metadata={"description": "What may be chosen, by channel; one alone cannot be changed"},
    )


class PreferencesSchema(Schema):
    """Every kind that may concern the person."""

    items = fields.List(fields.Nested(PreferenceSchema), required=True)


class ChosenSchema(Body):
    """Timings to choose; kinds and channels that are not named stay as they are."""

    kinds = fields.Dict(
        keys=fields.String(validate=validators.Length(1, 100)),
        values=_timings(True),
        required=True,
        validate=validators.Length(0, MOST_KINDS),
        metadata={
            "description": "Timings by channel, by kind",
            "example": {"agreements.decided": {"mail": "daily"}},
        },
    )
