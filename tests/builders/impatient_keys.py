"""The application as it is run, but its workers look at the keys again after a moment: a rotation takes seconds."""

from flask import Flask

from kernel.keys import signatures
from portal.app import create_app

CACHED_SECONDS = 0.2


def application() -> Flask:
    """For gunicorn."""
    signatures.CACHED_SECONDS = CACHED_SECONDS
    return create_app()
