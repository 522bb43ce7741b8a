"""A small provider behind the gateway: Chile's regions and communes, as an agency would serve them.

A provider must answer only what comes through the gateway. This one looks for the header with which the gateway names
the agreement. That is enough on a private network that only the gateway reaches; it is a sign, not a proof, for whoever
can reach this address can write it.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, request

from sandbox.demonstration.regions import COMMUNES, REGIONS

NAME = "División político-administrativa"
DESCRIPTION = (
    "Entrega las regiones y comunas de Chile con su Código Único Territorial, para que los formularios de los "
    "organismos usen los mismos nombres y códigos. Servicio de demostración."
)
BASE_PATH = "/v1"
AGREEMENT_HEADER = "X-Cordillera-Agreement"

Answer = Response | tuple[Response, int]


def openapi_document(base_url: str) -> dict[str, Any]:
    """The interface in OpenAPI 3.1, served at `base_url` plus BASE_PATH."""
    region = _object(code="13", name="Metropolitana de Santiago", capital="Santiago")
    commune = _object(code="13120", name="Ñuñoa", region="13")
    return {
        "openapi": "3.1.0",
        "info": {"title": NAME, "version": "1.0.0", "description": DESCRIPTION},
        "servers": [{"url": base_url.rstrip("/") + BASE_PATH}],
        "paths": {
            "/regions": {"get": _operation("listRegions", "Todas las regiones, de norte a sur", _list("Region"))},
            "/regions/{code}": {"get": _operation("getRegion", "Una región y sus comunas", _of("Region"), code="13")},
            "/communes/{code}": {"get": _operation("getCommune", "Una comuna", _of("Commune"), code="13120")},
        },
        "components": {"schemas": {"Region": region, "Commune": commune}},
    }


def _object(**examples: str) -> dict[str, Any]:
    properties = {name: {"type": "string", "examples": [example]} for name, example in examples.items()}
    return {"type": "object", "required": list(examples), "properties": properties}


def _of(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _list(schema: str) -> dict[str, Any]:
    return {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": _of(schema)}}}


def _operation(operation_id: str, summary: str, schema: dict[str, Any], code: str | None = None) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
        "403": {"description": "La llamada no vino por la pasarela"},
    }
    operation: dict[str, Any] = {"operationId": operation_id, "summary": summary, "responses": responses}
    if code:
        responses["404"] = {"description": "No existe ese código"}
        operation["parameters"] = [
            {"name": "code", "in": "path", "required": True, "schema": {"type": "string", "examples": [code]}}
        ]
    return operation


def _problem(status: int, title: str, detail: str) -> tuple[Response, int]:
    answer = jsonify(type="about:blank", status=status, title=title, detail=detail)
    answer.content_type = "application/problem+json"
    return answer, status


def _region(code: str) -> dict[str, str]:
    name, capital = REGIONS[code]
    return {"code": code, "name": name, "capital": capital}


def _commune(code: str) -> dict[str, str]:
    return {"code": code, "name": COMMUNES[code], "region": code[:2]}


def list_regions() -> Answer:
    return jsonify(items=[_region(code) for code in REGIONS])


def get_region(code: str) -> Answer:
    if code not in REGIONS:
        return _problem(404, "No such region", "Region codes have two digits, such as 13.")
    communes = [_commune(each) for each in COMMUNES if each.startswith(code)]
    return jsonify(_region(code) | {"communes": communes})


def get_commune(code: str) -> Answer:
    if code not in COMMUNES:
        return _problem(404, "No such commune", "Commune codes have five digits, such as 13120.")
    return jsonify(_commune(code))


def describe() -> Answer:
    return jsonify(openapi_document(request.url_root))


def refuse_direct_calls() -> Answer | None:
    if request.path.startswith(f"{BASE_PATH}/") and not request.headers.get(AGREEMENT_HEADER):
        return _problem(403, "Call through the gateway", f"The header {AGREEMENT_HEADER} is missing.")
    return None


def create_provider() -> Flask:
    """The provider as an application of its own."""
    provider = Flask(__name__, static_folder=None)
    provider.json.ensure_ascii = False  # type: ignore[attr-defined]
    provider.json.sort_keys = False  # type: ignore[attr-defined]
    provider.before_request(refuse_direct_calls)
    provider.add_url_rule("/openapi.json", view_func=describe)
    provider.add_url_rule(f"{BASE_PATH}/regions", view_func=list_regions)
    provider.add_url_rule(f"{BASE_PATH}/regions/<code>", view_func=get_region)
    provider.add_url_rule(f"{BASE_PATH}/communes/<code>", view_func=get_commune)
    return provider


app = create_provider()
