"""The application as it is run, but what its workers are not told of they take for unchanged for an hour."""

from flask import Flask

from kernel.database import change_feed
from portal.app import create_app


def application() -> Flask:
    """For gunicorn."""
    change_feed.UNHEARD_LIFETIME_SECONDS = 3600.0
    return create_app()
