"""Prometheus metrics, summed over the worker processes of a node."""

from __future__ import annotations

import os
from functools import lru_cache

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from kernel.access import public

REQUESTS = Counter("cordillera_requests", "Requests answered", ["endpoint", "method", "status"])
SECONDS = Histogram("cordillera_request_seconds", "Time to answer", ["endpoint"])
KNOWN_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


# Finding the child of a metric by its labels costs more than counting.
_requests = lru_cache(maxsize=4096)(REQUESTS.labels)
_seconds = lru_cache(maxsize=1024)(SECONDS.labels)


def count_request(endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count an answer and the time that it took, by endpoint: never by path, for its values are unbounded."""
    method = method if method in KNOWN_METHODS else "other"
    _requests(endpoint, method, status).inc()
    _seconds(endpoint).observe(seconds)


def install_metrics(app: Flask) -> None:
    """Show them at `/metrics`."""

    @app.get("/metrics")
    @public("figures only; operators keep it inside their network")
    def metrics() -> Response:
        return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
