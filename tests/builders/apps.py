"""Applications under test, and the browser without a window that comes to them."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient


class WindowlessBrowser(FlaskClient):
    """Says where its requests come from, as browsers do: from our own pages."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"


def under_test(app: Flask, **config: Any) -> Flask:
    """The application, which raises what goes wrong in it, and whose clients are browsers."""
    app.config.update(TESTING=True, **config)
    app.test_client_class = WindowlessBrowser
    return app
