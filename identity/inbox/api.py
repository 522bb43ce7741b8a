"""A person's notices, and how they are told, through an application that they let see their account."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from identity.inbox import actions, queries
from identity.inbox.schemas import NOTICE_ID, ChosenSchema, NoticeSchema, PreferencesSchema
from kernel.api.api_fields import ListQuery, path
from kernel.api.interface import Blueprint
from kernel.base.errors import NotFound
from kernel.base.installation import settings
from kernel.jobs.access import current_principal, person_scope, requires
from kernel.outside import inbox

endpoints = Blueprint(
    "inbox_api",
    __name__,
    url_prefix="/api/v1/account",
    title="A person's notices",
    description="What a person was told, and how they want to be told",
)
ACCOUNT = person_scope("account")
NOTICE = ("id", "kind", "title", "text", "created_at", "read_at")


def _reader() -> UUID:
    return UUID(current_principal().id)


def _as_json(notice: Any) -> Any:
    link = f"{settings().base_url}{notice.path}" if notice.path else None
    return NoticeSchema().dump({**{name: getattr(notice, name) for name in NOTICE}, "link": link})


def _notice_id(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError as error:
        raise NotFound() from error


@endpoints.route("/notices", methods=["GET"])
@endpoints.arguments(ListQuery, location="query")
@endpoints.page(NoticeSchema)
@requires(ACCOUNT)
def list_notices(query: dict[str, Any]) -> Response:
    """The person's notices of the last half year, the newest first"""
    return inbox.notices_of(_reader(), cursor=query["cursor"], limit=query["limit"]).as_json(_as_json)


@endpoints.route(
    "/notices/<notice_id>/read",
    methods=["POST"],
    parameters=[path("notice_id", NOTICE_ID, "The notice's identifier", "01890a5d-ac96-774b-bcce-b302099a8057")],
)
@endpoints.response(204)
@endpoints.alt_response(404, description="The person has no such notice")
@requires(ACCOUNT)
def mark_notice_read(notice_id: str) -> None:
    """Note that the person has read it; nothing happens where they had"""
    inbox.mark_read(_reader(), _notice_id(notice_id))


@endpoints.route("/notice-preferences", methods=["GET"])
@endpoints.response(200, PreferencesSchema)
@requires(ACCOUNT)
def show_notice_preferences() -> dict[str, Any]:
    """The timing of each channel: at once, once a day, or never"""
    return _preferences()


@endpoints.route("/notice-preferences", methods=["PUT"])
@endpoints.arguments(ChosenSchema)
@endpoints.response(200, PreferencesSchema)
@endpoints.alt_response(422, description="A kind, a channel or a timing is not offered to the person")
@requires(ACCOUNT)
def choose_notice_preferences(wanted: dict[str, Any]) -> dict[str, Any]:
    """Choose how soon channels tell the person; what is not named stays as it is"""
    actions.choose(_reader(), wanted["kinds"])
    return _preferences()


def _preferences() -> dict[str, Any]:
    return {
        "items": [
            {
                "kind": one.template.kind,
                "group": str(one.template.group),
                "label": str(one.template.label),
                "timings": one.timings,
                "offered": {name: list(timings) for name, timings in one.offered.items()},
            }
            for one in queries.preferences_of(_reader())
        ]
    }
