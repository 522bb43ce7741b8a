"""Pages of the catalogue as officials open them, and the services and agreements that they stand before."""

import io
import json
from typing import Any

from builders.catalogue import (
    OWNER,
    Caller,
    a_published_service,
    a_request,
    a_service,
    an_agreement,
    an_official,
    an_openapi_document,
)
from flask import Flask
from werkzeug.test import TestResponse

from catalogue.services import actions
from kernel.jobs.access import Principal

NOBODY = Principal()
DRAFT = {
    "name": "Permisos de circulación",
    "description": "Consulta de permisos vigentes.",
    "kind": "api",
    "obligation": "optional",
    "contact": "soporte@territorio.example",
    "version": "v1",
    "base_url": "https://api.territorio.example/permisos",
}


def with_document(document: Any = None, **changed: str) -> dict[str, Any]:
    content = document if isinstance(document, bytes) else json.dumps(document or an_openapi_document()).encode()
    return {**DRAFT, **changed, "openapi": (io.BytesIO(content), "openapi.json")}


def post(caller: Caller, by: Principal, path: str, data: Any = None) -> TestResponse:
    return caller.acting(by).post(path, data=data or {}, headers={"Accept-Language": "en"})


def get(caller: Caller, by: Principal, path: str) -> TestResponse:
    return caller.acting(by).get(path, headers={"Accept-Language": "en"})


def submitted(app: Flask) -> str:
    with app.app_context():
        service = a_service()
        actions.submit_version(an_official(OWNER), service.code, "v1")
        return service.code


def published(app: Flask) -> str:
    with app.app_context():
        return a_published_service().code


def requested(app: Flask) -> str:
    with app.app_context():
        return a_request().code


def active(app: Flask) -> str:
    with app.app_context():
        return an_agreement().code
