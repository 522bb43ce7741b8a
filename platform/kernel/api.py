"""The JSON API: one OpenAPI 3.1 document, one way to describe a problem."""

from __future__ import annotations

from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Flask

from kernel.access import public
from kernel.security import csrf

DESCRIPTION = (
    "Services, agreements, official communications and evidence. Machines authenticate with an access token of the "
    "client credentials grant; every error is an RFC 9457 problem whose `type` leads to its explanation."
)


class ProblemSchema(ma.Schema):
    """RFC 9457 problem details."""

    type = ma.fields.Url(required=True, metadata={"description": "The page that explains this kind of problem"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String()
    instance = ma.fields.String(metadata={"description": "The request, as it is named in the logs and the audit"})
    errors = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={"description": "Messages by field"},
    )


class Api(flask_smorest.Api):
    """flask-smorest with our problems in place of its errors."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """`kernel.problems` renders every error."""


class Blueprint(flask_smorest.Blueprint):
    """A group of API endpoints, called with tokens and so not in need of form tokens."""


def install_api(app: Flask, blueprints: list[Blueprint]) -> None:
    """Serve the endpoints and the document that describes them at `/api/v1/openapi.json`."""
    app.config.update(
        API_TITLE="Cordillera",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = Api(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    api.spec.components.security_scheme("accessToken", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    for blueprint in blueprints:
        csrf.exempt(blueprint)
        api.register_blueprint(blueprint)
    document = app.view_functions["api-docs.openapi_json"]

    @public("it describes the public interface")
    def openapi_json() -> Any:
        return document()

    app.view_functions["api-docs.openapi_json"] = openapi_json
