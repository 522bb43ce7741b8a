"""The JSON API: one OpenAPI 3.1 document, one way to describe a problem, one way to page through a list."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Lock
from typing import Any, NoReturn, TypeVar

import flask_smorest
import marshmallow as ma
from flask import Flask, Request, Response, current_app, request
from webargs.flaskparser import FlaskParser, is_json_request

from kernel.api import fields
from kernel.api.api_fields import Schema, page_of
from kernel.api.openapi import PROBLEM, complete
from kernel.base.canonical import TwoMeanings, read_json
from kernel.base.errors import BadRequest, UnsupportedMediaType, _
from kernel.base.installation import SETTINGS
from kernel.jobs.access import ProgramPaths, check, declared_access, declared_rules, public

PREFIX = "/api/"
API_PATHS = ProgramPaths(PREFIX)
FORMS = """\
**Problems.** Every error is an RFC 9457 problem, whose `type` leads to a page that explains it and says what to do.

**Lists.** A list comes in pages: `next` is the cursor of the following one, and `Link` its address.
"""
LINK = {"Link": {"description": "The address of the next page, with `rel=next`", "schema": {"type": "string"}}}
TOKEN_WELCOME: list[dict[str, list[str]]] = [{}, {"accessToken": []}]
"""The security of a public operation that shows more to who has a token: `@endpoints.doc(security=TOKEN_WELCOME)`."""
View = TypeVar("View", bound=Callable[..., Any])


@dataclass
class ApiTexts:
    """Texts of the document about the interface as a whole, in Markdown.

    subjects: what it is about, as parts of one sentence. access: paragraphs that tell how a program comes by an access
    token and brings it. tokens_from: the same for who reads of the token only.
    """

    subjects: list[str] = field(default_factory=list)
    access: list[str] = field(default_factory=list)
    tokens_from: str = ""

    def description(self) -> str:
        subjects = ", ".join(self.subjects)
        return "\n\n".join([*([f"{subjects[0].upper()}{subjects[1:]}."] if subjects else []), *self.access, FORMS])


class ProblemSchema(Schema):
    """RFC 9457 problem details."""

    type = fields.String(
        required=True, metadata={"format": "url", "description": "The page that explains this kind of problem"}
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    instance = fields.String(metadata={"description": "The request, as it is named in the logs and the audit"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Messages by field"},
    )


class Api(flask_smorest.Api):
    """flask-smorest with our problems in place of its errors."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.descriptions: list[Callable[[], None]] = []

    def _register_error_handlers(self) -> None:
        """`kernel.http.problems` renders every error."""

    def _register_pagination_header(self) -> None:
        """Lists have a cursor (`kernel.database.pagination`), not numbered pages."""

    def _register_responses(self) -> None:
        """`kernel.api.openapi` writes the answers that all share."""


class Parser(FlaskParser):
    """Reads bodies, and says what is wrong with those that cannot be read."""

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        # RFC 9110 15.5.16. Where there is no body, the schema says what it lacks.
        if not is_json_request(req) and req.get_data(cache=True):
            raise UnsupportedMediaType.send_as("application/json", req.mimetype)
        try:
            return super().load_json(req, schema)
        except RecursionError as error:
            raise BadRequest(_("The JSON in the body is nested too deeply.")) from error
        except TwoMeanings as error:
            raise BadRequest(error.message) from error
        except ValueError as error:
            raise BadRequest(_("The JSON in the body has a number with too many digits.")) from error

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data(cache=True)
        return read_json(body.decode()) if body else ma.missing

    def _handle_invalid_json_error(
        self, error: json.JSONDecodeError | UnicodeDecodeError, *_args: Any, **_kwargs: Any
    ) -> NoReturn:
        if isinstance(error, UnicodeDecodeError):
            raise BadRequest(_("The body is not text in UTF-8.")) from error
        place = {"line": error.lineno, "column": error.colno}
        raise BadRequest(_("The body is not JSON: look at line %(line)s, column %(column)s.", **place)) from error


class Blueprint(flask_smorest.Blueprint):
    """A group of API endpoints, called with tokens and so not in need of form tokens.

    What a view declares of its access (`kernel.jobs.access`) is checked before anything of the request is read, and is
    also what the document says of its security. title: the group's name in the document.
    """

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, import_name: str, *, title: str = "", **kwargs: Any) -> None:
        super().__init__(name, import_name, **kwargs)
        self.title = title or name.removesuffix("_api").capitalize()
        self.before_request(_check_access)
        self._prepare_doc_cbks.append(self._prepare_access_doc)

    def page(self, item: type[ma.Schema], description: str = "A page of the list") -> Callable[[View], View]:
        """Document the answer of a list (`kernel.database.pagination.Page.as_json`)."""
        documented: Callable[[View], View] = self.response(200, page_of(item), description=description, headers=LINK)
        return documented

    def register_views_in_doc(self, api: Api, *args: Any, **kwargs: Any) -> None:
        """Describe the endpoints once somebody asks for the document: most processes are never asked."""
        api.descriptions.append(partial(super().register_views_in_doc, api, *args, **kwargs))

    def alt_response(self, status_code: int, response: str | None = None, **kwargs: Any) -> Any:
        """As flask-smorest's; an answer of 400 and above is a problem."""
        if status_code >= 400:
            kwargs |= {"schema": ProblemSchema, "content_type": PROBLEM}
        return super().alt_response(status_code, response, **kwargs)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        for method, described in self._docs[endpoint].items():
            if method != "parameters":
                described["view"] = obj

    @staticmethod
    def _prepare_access_doc(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
        view = doc_info.pop("view")
        words, docstring = view.__name__.split("_"), doc_info["docstring"]
        docstring["summary"] = str(docstring.get("summary", "")).rstrip(".")
        named = {**doc, "operationId": words[0] + "".join(word.capitalize() for word in words[1:])}
        if str(declared_access(view)).startswith("public"):
            return {**named, "security": []}
        scopes = [list(one) for rule in declared_rules(view) for one in rule.scopes]
        names = " or ".join(f"`{' '.join(one)}`" for one in scopes)
        docstring["description"] = (
            f"{docstring.get('description', '')}\n\nNeeds a token with the scope {names}.".strip()
        )
        return {**named, "security": [{"accessToken": one} for one in scopes]}


def _check_access() -> None:
    """Refuse strangers first, so that only those who may learn what is wrong with what they sent."""
    check(*declared_rules(current_app.view_functions[str(request.endpoint)]))


def install_api(app: Flask, blueprints: list[Blueprint], texts: ApiTexts) -> None:
    """Serve the endpoints and the document that describes them at `/api/v1/openapi.json`."""
    app.config.update(
        API_TITLE="Cordillera",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=f"{PREFIX}v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = Api(app, spec_kwargs={"info": {"description": texts.description()}})
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": texts.tokens_from}
    api.spec.components.security_scheme("accessToken", bearer)
    api.spec.components.schema("Problem", schema=ProblemSchema)
    for blueprint in blueprints:
        api.register_blueprint(blueprint)
    base_url = SETTINGS.of(app).base_url
    one_at_a_time = Lock()

    @cache
    def document() -> str:
        for describe in api.descriptions:
            describe()
        titles = {blueprint.name: blueprint.title for blueprint in blueprints}
        return json.dumps(complete(api.spec.to_dict(), base_url, titles), indent=1)

    @public("it describes the public interface")
    def openapi_json() -> Response:
        with one_at_a_time:
            # Outside of the request: what all get is in the language of none of them.
            text = Context().run(document)
        return Response(text, mimetype="application/json")

    app.view_functions["api-docs.openapi_json"] = openapi_json
