"""Prometheus metrics: counts, summed over the worker processes of a node, and figures that the database has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from kernel.base.slots import Slot
from kernel.database.db import session
from kernel.jobs.access import public

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


Figures = Callable[[Session], Iterable[Metric]]


FIGURES: Slot[list[Figures]] = Slot("figures", list)


def add_figures(app: Flask, figures: Figures) -> None:
    """Read these figures out of the database whenever somebody looks."""
    FIGURES.of(app).append(figures)


def install_metrics(app: Flask) -> None:
    """Show them at `/metrics`."""

    @app.get("/metrics")
    @public("figures only; operators keep it inside their network")
    def metrics() -> Response:
        text = generate_latest(_registry()) + generate_latest(_figures())
        return Response(text, content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _figures() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_FromDatabase())
    return registry


class _FromDatabase(Collector):
    """Without a database there are no figures, and the counts are told all the same."""

    def collect(self) -> Iterator[Metric]:
        try:
            yield from [metric for figures in FIGURES() for metric in figures(session())]
        except SQLAlchemyError:
            return
