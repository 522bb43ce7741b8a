"""Prometheus metrics, summed over the worker processes of a node."""

from __future__ import annotations

import os
import time
from functools import lru_cache

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from kernel.access import public

REQUESTS = Counter("cordillera_requests", "Requests answered", ["endpoint", "method", "status"])
SECONDS = Histogram("cordillera_request_seconds", "Time to answer", ["endpoint"])


# Finding the child of a metric by its labels costs more than counting.
_requests = lru_cache(maxsize=4096)(REQUESTS.labels)
_seconds = lru_cache(maxsize=1024)(SECONDS.labels)


def count_request(endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count an answer and the time that it took."""
    _requests(endpoint, method, status).inc()
    _seconds(endpoint).observe(seconds)


def install_metrics(app: Flask) -> None:
    """Count and time every request by endpoint (never by path: its values are unbounded), and show it at `/metrics`."""

    @app.before_request
    def start() -> None:
        g.metrics_started = time.perf_counter()

    @app.after_request
    def observe(response: Response) -> Response:
        now = time.perf_counter()
        method = request.method if request.method in KNOWN_METHODS else "other"
        count_request(request.endpoint or "none", method, response.status_code, now - g.get("metrics_started", now))
        return response

    @app.get("/metrics")
    @public("figures only; operators keep it inside their network")
    def metrics() -> Response:
        return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


KNOWN_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
