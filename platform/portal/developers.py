"""For developers: how to integrate, and the JSON interface to read and to try."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Flask, render_template
from flask_babel import lazy_gettext as _

from kernel.access import public
from kernel.layout import add_navigation, open_static_files

SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"

pages = Blueprint(
    "developers",
    __name__,
    url_prefix="/developers",
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)
swagger = Blueprint(
    "swagger", __name__, url_prefix="/developers/swagger", static_folder=str(SWAGGER_UI), static_url_path="/static"
)


def install_developers(app: Flask) -> None:
    """The guide, the explorer with Swagger UI's files served from here, and their place in the header."""
    app.register_blueprint(pages)
    app.register_blueprint(swagger)
    open_static_files(app, "developers", "swagger")
    add_navigation(app, _("Developers"), "developers.guide", order=60)


def code(name: str) -> str:
    """A piece of code with this installation's addresses in it."""
    return render_template(f"portal/developers/code/{name}.txt")


@pages.get("/")
@public("documentation")
def guide() -> str:
    return render_template("portal/developers/guide.html", code=code)


@pages.get("/api")
@public("documentation")
def explore_api() -> str:
    return render_template("portal/developers/api.html")
