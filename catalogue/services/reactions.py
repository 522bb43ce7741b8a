"""Reactions to what becomes of a service: servers that subscribed are told."""

from __future__ import annotations

from kernel.base.installation import own_address
from kernel.outside.deliveries_webhooks import publish
from kernel.recording.reactions import Event, reacts_to
from kernel.recording.work import Work


@reacts_to("catalogue:version:published")
def publish_version(work: Work, event: Event) -> None:
    """Tell every server that subscribed of a version: the catalogue is public."""
    code, _slash, version = event.subject_id.partition("/")
    data = {
        "service": code,
        "version": version,
        "owner": event.detail["owner"],
        "href": own_address(f"/api/v1/services/{code}"),
    }
    publish(work, "service.published", data, to=None)
