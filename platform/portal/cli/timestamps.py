"""The timestamps of a log, as its commands tell of them."""

from __future__ import annotations

from typing import Any

from flask import current_app

from kernel.database.db import session
from kernel.keys.seal_timestamps import TimestampVerdict, verify_timestamps
from kernel.recording.sealing import sealed_logs


def timestamps_of(name: str) -> TimestampVerdict:
    """Check every timestamp of a log."""
    [sealed_log] = [each for each in sealed_logs(current_app) if each.name == name]
    return verify_timestamps(session(), sealed_log)


def as_members(verdict: TimestampVerdict) -> dict[str, Any]:
    """The finding as members of a JSON object."""
    return {
        "timestamps": verdict.timestamps,
        "newest_timestamp": verdict.newest.isoformat() if verdict.newest else None,
        "broken_timestamp": verdict.broken,
    }


def in_words(verdict: TimestampVerdict) -> str:
    """One line for a person."""
    if verdict.newest is None:
        return "No timestamp dates it yet."
    return f"{verdict.timestamps} timestamps hold; the newest is of {verdict.newest:%Y-%m-%d %H:%M:%S} UTC."
