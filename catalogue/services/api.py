"""The catalogue as JSON: read by anyone, written by the systems of the agencies that offer services."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from catalogue.openapi_documents.reader import MAX_DOCUMENT_BYTES, read_openapi
from catalogue.ports import agency_name
from catalogue.services import actions, queries
from catalogue.services.rules import CODE, VERSION, Kind, Obligation, ServiceFacts, Status, VersionFacts
from catalogue.services.schemas import ServiceDraftSchema, ServiceSchema, ServicesQuery
from kernel.api.api_fields import path
from kernel.api.interface import TOKEN_WELCOME, Blueprint
from kernel.base.installation import settings
from kernel.http.application import MAX_FORM_BYTES
from kernel.jobs.access import current_principal, public, requires, scope

endpoints = Blueprint(
    "services_api", __name__, url_prefix="/api/v1/services", description="What the state's agencies offer one another"
)
WHY = "the catalogue is public"
PUBLISH = scope("catalogue.publish")
MAX_BODY_BYTES = 6 * MAX_DOCUMENT_BYTES + MAX_FORM_BYTES
"""JSON writes one byte of a document in up to six of its own."""
ONE = [path("code", CODE, "The service's code", "SRV-000001")]
ONE_VERSION = [*ONE, path("version", VERSION, "The version's name", "v1")]


@endpoints.before_request
def allow_documents() -> None:
    """A document as large as it may be fits into the body, however it is written there."""
    request.max_content_length = MAX_BODY_BYTES


@endpoints.route("", methods=["GET"])
@endpoints.arguments(ServicesQuery, location="query")
@endpoints.page(ServiceSchema)
@endpoints.doc(security=TOKEN_WELCOME)
@public(WHY)
def list_services(query: dict[str, Any]) -> Response:
    """Published services, the newest first or, with `q`, those that match its words best"""
    page = queries.search(
        query["q"], kind=query["kind"], owner=query["owner"], cursor=query["cursor"], limit=query["limit"]
    )
    return page.as_json(_shown)


@endpoints.route("/<code>", methods=["GET"], parameters=ONE)
@endpoints.response(200, ServiceSchema)
@endpoints.alt_response(404, description="No service has this code")
@endpoints.doc(security=TOKEN_WELCOME)
@public(WHY)
def show_service(code: str) -> dict[str, Any]:
    """One service; its owner sees it before it is published"""
    return _described(queries.find(code, current_principal()))


@endpoints.route("/<code>/versions/<version>/openapi", methods=["GET"], parameters=ONE_VERSION)
@endpoints.response(200, {"type": "object"}, description="The document: OpenAPI 3")
@endpoints.response(200, {}, content_type="application/yaml", description="The document: OpenAPI 3")
@endpoints.doc(security=TOKEN_WELCOME)
@endpoints.alt_response(404, description="No such service or version, or it has no document")
@public(WHY)
def show_openapi(code: str, version: str) -> Response:
    """The OpenAPI document of a version"""
    media_type, text = queries.openapi_document(code, version, current_principal())
    return Response(text, content_type=f"{media_type}; charset=utf-8")


@endpoints.route("/<code>/versions/<version>/openapi/original", methods=["GET"], parameters=ONE_VERSION)
@endpoints.response(200, {"type": "object"}, description="The document as its owner sent it")
@endpoints.response(200, {}, content_type="application/yaml", description="The document as its owner sent it")
@endpoints.doc(security=TOKEN_WELCOME)
@endpoints.alt_response(404, description="No such service or version, or its document was published as it was sent")
@public(WHY)
def show_original(code: str, version: str) -> Response:
    """The document of a version before it was converted to OpenAPI 3"""
    media_type, text = queries.openapi_document(code, version, current_principal(), as_it_came=True)
    return Response(text, content_type=f"{media_type}; charset=utf-8")


@endpoints.route("", methods=["POST"])
@endpoints.arguments(ServiceDraftSchema)
@endpoints.response(201, ServiceSchema)
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(PUBLISH)
def draft_service(draft: dict[str, Any]) -> dict[str, Any]:
    """Describe a new service; it stays a draft until it is submitted"""
    return _described(actions.draft_service(current_principal(), _facts(draft), _version(draft)))


@endpoints.route("/<code>", methods=["PUT"], parameters=ONE)
@endpoints.arguments(ServiceDraftSchema)
@endpoints.response(200, ServiceSchema)
@endpoints.alt_response(404, description="No service of your agency has this code")
@endpoints.alt_response(409, description="The version is under review or published")
@endpoints.alt_response(422, description="Some of the data must be corrected")
@requires(PUBLISH)
def put_service(draft: dict[str, Any], code: str) -> dict[str, Any]:
    """Change a service and the version named; a version that does not exist yet is started"""
    return _described(actions.put_service(current_principal(), code, _facts(draft), _version(draft)))


@endpoints.route("/<code>/versions/<version>/submission", methods=["POST"], parameters=ONE_VERSION)
@endpoints.response(200, ServiceSchema)
@endpoints.alt_response(404, description="No service of your agency has this code or version")
@endpoints.alt_response(409, description="The version is not complete, under review or published")
@requires(PUBLISH)
def submit_version(code: str, version: str) -> dict[str, Any]:
    """Send a version to the authority for review"""
    return _described(actions.submit_version(current_principal(), code, version).service)


def _facts(draft: dict[str, Any]) -> ServiceFacts:
    return ServiceFacts.checked(**{name: draft[name] for name in ServiceFacts.__dataclass_fields__})


def _version(draft: dict[str, Any]) -> VersionFacts:
    document = read_openapi(draft["openapi"].encode(errors="replace")) if draft["openapi"] else None
    return queries.prepare_version(draft["version"], draft["base_url"], document)


def _shown(service: Any) -> Any:
    return ServiceSchema().dump(_described(service))


def _described(service: Any) -> dict[str, Any]:
    """The service with what its reader may see of its versions."""
    reader = current_principal()
    owner = {"code": service.owner, "name": agency_name(service.owner)}
    facts = {name: getattr(service, name) for name in ("code", "name", "description", "contact", "published_at")}
    versions = [_described_version(service, one, reader) for one in queries.visible_versions(service, reader)]
    kinds = {"kind": str(Kind(service.kind)), "obligation": str(Obligation(service.obligation))}
    return {**facts, **kinds, "owner": owner, "versions": versions}


def _described_version(service: Any, version: Any, reader: Any) -> dict[str, Any]:
    base = settings().base_url
    address = f"{base}/api/v1/services/{service.code}/versions/{version.version}/openapi"
    body = {
        "version": version.version,
        "status": version.status,
        "gateway": f"{base}/gateway/{service.code}/{version.version}/",
        "openapi": address if version.has_document else None,
        "openapi_original": f"{address}/original" if version.openapi_original_type else None,
        "operations": version.operation_count,
        "published_at": version.decided_at if version.status == Status.PUBLISHED else None,
    }
    if reader.agency is None or reader.agency.code != service.owner:
        return body
    warnings = [
        {"code": one.code, "line": one.line, "pointer": one.pointer, "detail": str(one.sentence)}
        for one in version.warnings
    ]
    return {**body, "reasons": version.reasons, "warnings": warnings}
