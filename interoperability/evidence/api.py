"""The log's public face: whoever keeps a checkpoint can see later that nothing before it was changed."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from interoperability.evidence import queries
from kernel.api import fields, validators
from kernel.api.api_fields import Query, Schema
from kernel.api.interface import Blueprint
from kernel.jobs.access import public

endpoints = Blueprint("evidence_api", __name__, url_prefix="/api/v1/evidence", description="The append-only log")
MONITORS = "anyone may watch the log"
LARGEST = 2**53 - 1  # what every JSON reader takes for a whole number


class KeysSchema(Schema):
    """A JWK Set (RFC 7517)."""

    keys = fields.List(fields.Dict(), required=True)


class StateSchema(Schema):
    size = fields.Integer(required=True)
    root = fields.String(required=True)


class ConsistencyQuerySchema(Query):
    older = fields.Integer(required=True, data_key="from", validate=validators.Range(1, LARGEST))
    newer = fields.Integer(required=True, data_key="to", validate=validators.Range(1, LARGEST))


class ConsistencySchema(Schema):
    """RFC 6962 2.1.2; hashes in hexadecimal."""

    older = fields.Nested(StateSchema, required=True, data_key="from")
    newer = fields.Nested(StateSchema, required=True, data_key="to")
    proof = fields.List(fields.String(), required=True)


@endpoints.get("/checkpoint")
@endpoints.response(200, {"type": "string"}, content_type="text/plain")
@endpoints.alt_response(404, description="The log has no record yet")
@endpoints.doc(operationId="showCheckpoint")
@public(MONITORS)
def checkpoint() -> Response:
    """The newest signed state of the log, as a C2SP checkpoint."""
    return Response(queries.signed_checkpoint(), mimetype="text/plain")


@endpoints.get("/consistency")
@endpoints.arguments(ConsistencyQuerySchema, location="query")
@endpoints.response(200, ConsistencySchema)
@endpoints.alt_response(404, description="Not two sizes that the log has had, the smaller one first")
@endpoints.doc(operationId="proveConsistency")
@public(MONITORS)
def consistency(sizes: dict[str, int]) -> Response:
    """The proof that the log of size `to` begins with the log of size `from`."""
    return jsonify(queries.consistency_proof(sizes["older"], sizes["newer"]))


@endpoints.get("/keys")
@endpoints.response(200, KeysSchema)
@endpoints.doc(operationId="listEvidenceKeys")
@public("anyone verifies receipts")
def keys() -> dict[str, Any]:
    """Every public key that ever signed checkpoints and receipts: what `cordillera evidence verify --keys` pins."""
    return {"keys": queries.platform_keys()}
