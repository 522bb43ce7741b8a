"""Structured logs: one JSON object a line, with the request id; never a secret, a token, a password or a document's
content.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

import structlog
from flask import g, has_app_context, has_request_context
from structlog.typing import EventDict, WrappedLogger

from kernel.base.request_id import current_request_id
from kernel.base.settings import Settings

_requests = logging.getLogger("cordillera.requests")
SECRET_WORDS = ("password", "secret", "token", "authorization", "cookie", "code", "assertion")


def hide_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace the value of anything whose name says that it is a secret."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "[hidden]"
    return event


def hide_arguments(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name a job without its arguments, as procrastinate does not: they are what people are told, and where."""
    if isinstance(line := event.get("event"), str):
        event["event"] = re.sub(r"(:[\w:-]+\[\d+\])\(.*\)", r"\1", line, flags=re.DOTALL)
    return event


def add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Say during which request it happened."""
    if has_request_context() or (has_app_context() and "request_id" in g):
        event.setdefault("request_id", current_request_id())
    return event


def configure_logs(settings: Settings) -> None:
    """JSON lines on stderr, for our own logs and the libraries'."""
    shared: list[structlog.typing.Processor] = [
        add_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, hide_arguments],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)


def tell_request(method: str, path: str, status: int, seconds: float) -> None:
    """Write the line of a request. By hand: each pays for it, and it has nothing to hide or to look up."""
    if not _requests.isEnabledFor(logging.INFO):
        return
    sys.stderr.write(
        f'{{"method": {json.dumps(method)}, "path": {json.dumps(path)}, "status": {status}, '
        f'"ms": {seconds * 1000:.1f}, "event": "request", "request_id": "{current_request_id()}", "level": "info", '
        f'"timestamp": "{datetime.now(UTC).isoformat()}"}}\n'
    )
