"""For developers: how to integrate, and the JSON interface to read and to try."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import flask_swagger_ui
from flask import Blueprint, Flask, Response, current_app, json, jsonify, make_response, render_template
from flask_babel import lazy_gettext as _

from kernel.jobs.access import public
from kernel.pages.layout import add_navigation, open_static_files

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


EXPLORER_WORDS = {
    "Authorize": _("Enter a token"),
    "Available authorizations": _("Your access token"),
    "Authorized": _("Token entered"),
    "Logout": _("Remove the token"),
    "Close": _("Close"),
    "Value:": _("Token:"),
    "Try it out": _("Try it"),
    "Cancel": _("Cancel"),
    "Reset": _("Reset"),
    "Execute": _("Send"),
    "Clear": _("Clear"),
    "Download": _("Download"),
    "Parameters": _("Parameters"),
    "No parameters": _("No parameters"),
    "Name": _("Name"),
    "Description": _("Description"),
    "Request body": _("Body of the request"),
    "Responses": _("Answers"),
    "Response": _("Answer"),
    "Server response": _("Answer of the server"),
    "Response body": _("Body of the answer"),
    "Response headers": _("Headers of the answer"),
    "Request duration": _("Duration"),
    "Request URL": _("Address of the request"),
    "Code": _("Code"),
    "Details": _("Details"),
    "Links": _("Links"),
    "No links": _("No links"),
    "Media type": _("Media type"),
    "Media Type": _("Media type"),
    "Request content type": _("Media type"),
    "Response content type": _("Media type"),
    "Controls": _("Sets the header"),
    "header.": ".",
    "Example Value": _("Example"),
    "Edit Value": _("Write"),
    "Schema": _("Schema"),
    "Schemas": _("Schemas"),
    "Send empty value": _("Send it empty"),
    "Expand all": _("Open all"),
    "Collapse all": _("Close all"),
    "Loading": _("Loading"),
    "Headers:": _("Headers:"),
    "Type": _("Type"),
    "choose": _("Choose"),
}
"""Swagger UI's words, which are English only, and ours for them."""
SCOPE_NEEDED = re.compile(r"Needs a token with the scope (.+)\.")


@pages.get("/api")
@public("documentation")
def explore_api() -> str:
    words = {theirs: str(ours) for theirs, ours in EXPLORER_WORDS.items()}
    return render_template("portal/developers/api.html", code=code, words=words)


@pages.get("/openapi.json")
@public("documentation")
def described_api() -> Response:
    """The description of the API in the reader's language, for the explorer; programs have `/api/v1/openapi.json`."""
    described = make_response(current_app.view_functions["api-docs.openapi_json"]())
    answer = jsonify(translated(json.loads(described.get_data())))
    answer.vary.update(("Cookie", "Accept-Language"))
    return answer


def translated(document: Any, place: str = "") -> Any:
    """The document with what people read of it in the reader's language."""
    if isinstance(document, dict):
        return {
            name: translated(value, "tag" if place == "tags" and name == "name" else name)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [translated(one, place) for one in document]
    is_read = place in ("summary", "description", "tag", "tags") and isinstance(document, str)
    return "\n\n".join(_paragraph(one) for one in document.split("\n\n")) if is_read else document


def _paragraph(text: str) -> str:
    text = " ".join(text.split("\n"))
    if match := SCOPE_NEEDED.fullmatch(text):
        scopes = match[1].replace(" or ", str(_(" or ")))
        return str(_("Needs a token with the scope %(scope)s.", scope=scopes))
    return str(_(text)) if text else text
