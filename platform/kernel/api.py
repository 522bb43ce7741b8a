"""The JSON API: one OpenAPI 3.1 document, one way to describe a problem."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Flask

from kernel.access import declared_access, public
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

    def _register_pagination_header(self) -> None:
        """Lists have a cursor (`kernel.pagination`), not numbered pages."""

    def _register_responses(self) -> None:
        """Every error is a problem, whatever its status."""
        content = {"application/problem+json": {"schema": ProblemSchema}}
        for status in HTTPStatus:
            self.spec.components.response(status.name, {"description": status.phrase, "content": content}, lazy=True)
        problem = {"description": "A problem", "content": content}
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, problem, lazy=True)


class Blueprint(flask_smorest.Blueprint):
    """A group of API endpoints, called with tokens and so not in need of form tokens.

    What a view declares of its access (`kernel.access`) is also what the document says of its security.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._prepare_security_doc)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        for method, described in self._docs[endpoint].items():
            if method != "parameters":
                described["access"] = declared_access(obj)

    @staticmethod
    def _prepare_security_doc(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
        is_public = str(doc_info.pop("access", "")).startswith("public")
        return {**doc, "security": [] if is_public else [{"accessToken": []}]}


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
