"""Events for others' servers: their types, which the blocks declare, and each one that happened.

An event says that something happened and to what, in identifiers and links; who receives it asks for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Text, select
from sqlalchemy.orm import Mapped, mapped_column

from kernel.base.errors import Text as Words
from kernel.base.errors import _
from kernel.base.ids import new_id
from kernel.base.slots import Slot
from kernel.database.db import Base, session
from kernel.database.partitions import RetentionPeriod


@dataclass(frozen=True)
class EventType:
    """A type of event, under a public name that never changes.

    example: the data of one, with every member that there can be. of_clients: whether a client may subscribe to it for
    itself; an agency may subscribe to each.
    """

    name: str
    title: Words
    description: Words
    example: Mapping[str, Any]
    of_clients: bool = False


TEST = EventType(
    "test",
    _("A test"),
    _("Sent when somebody asks for it, to see whether it arrives."),
    {"subscription": "0190a0b0-0000-7000-8000-000000000001"},
    of_clients=True,
)
"""Nobody subscribes to it: it is sent to one subscription by a button."""
EVENT_TYPES: Slot[dict[str, EventType]] = Slot("event_types", dict)


def event_types() -> Mapping[str, EventType]:
    """The types that the blocks declare, by name and in their order."""
    return EVENT_TYPES()


def install_event_types(app: Flask, declared: Collection[EventType]) -> None:
    """Name the events that there are. Raises ValueError where two have one name."""
    by_name = {one.name: one for one in declared}
    if len(by_name) != len(declared) or TEST.name in by_name:
        raise ValueError("two types of event have one name")
    EVENT_TYPES.fill(app, by_name)


class OutgoingEvent(Base):
    """One thing that happened and that somebody subscribed to; `data` is what all of them get."""

    __tablename__ = "outgoing_event"
    __table_args__ = {"postgresql_partition_by": "RANGE (at)"}
    unaudited = "it repeats a record for others"
    retention_period = RetentionPeriod(
        lambda settings: settings.deliveries_kept_months,
        unfinished="id::text IN (SELECT arguments ->> 'event' FROM delivery WHERE status = 'pending')",
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]]


def find_event(event_id: UUID) -> OutgoingEvent | None:
    """One event; None once its month is over."""
    return session().scalar(select(OutgoingEvent).where(OutgoingEvent.id == event_id))


def payload_of(event: OutgoingEvent) -> str:
    """The event as it is sent and signed, the same text each time (Standard Webhooks: type, timestamp, data)."""
    at = event.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event.type, "timestamp": at, "data": event.data}, ensure_ascii=False)
