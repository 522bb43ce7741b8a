"""Jobs: deferred in the transaction of the change that asks for them, run at least once, retried with growing delay.

A job is an idempotent function in a capability's `actions.py`, marked `@job("block:thing:verb")`; its arguments are
plain JSON values. It runs in an application context of its own as the system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ParamSpec

import procrastinate
import structlog
from flask import Flask, g
from sqlalchemy.orm import Session

from kernel.base.installation import SETTINGS
from kernel.jobs.access import Principal, act_as
from kernel.jobs.job_worker import WAITS_TWICE_AS_LONG, JobApp

P = ParamSpec("P")

RETRY = procrastinate.RetryStrategy(max_attempts=12, exponential_wait=WAITS_TWICE_AS_LONG)
HEARTBEAT_SECONDS = 10.0
STALLED_AFTER_SECONDS = 30
CONCURRENCY = 4

log = structlog.get_logger(__name__)
_application = JobApp(connector=procrastinate.PsycopgConnector())
# Defers by name on the session's connection, also inside a job: there the application's own connector is the worker's.
_outgoing = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
_flask: list[Flask] = []  # the one application of this process, once it is installed


def job(name: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a job under a stable name: renaming one loses what is waiting."""

    def decorate(function: Callable[P, None]) -> Callable[P, None]:
        @_application.task(name=name, retry=RETRY, pass_context=True)
        def run(context: procrastinate.JobContext, /, *args: P.args, **kwargs: P.kwargs) -> None:
            with _flask[-1].app_context():
                g.job_id = context.job.id
                act_as(Principal(kind="system", id=name, name=name))
                function(*args, **kwargs)

        function.job_name = name  # type: ignore[attr-defined]
        return function

    return decorate


def current_job_id() -> int | None:
    """The number of the job that runs here, the same for each attempt; None outside of one, and in a periodic one."""
    job_id: int | None = g.get("job_id")
    return job_id


def periodic(name: str, cron: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a job that the workers start by the clock (UTC), once however many workers there are.

    It is idempotent, as every job is, and tried again like them: its next time may be a day away.
    """

    def decorate(function: Callable[[], None]) -> Callable[[], None]:
        @_application.periodic(cron=cron)
        @_application.task(name=name, retry=RETRY)
        def run(timestamp: int) -> None:
            with _flask[-1].app_context():
                act_as(Principal(kind="system", id=name, name=name))
                function()

        return function

    return decorate


def defer(
    session: Session, function: Callable[..., Any], arguments: Mapping[str, Any], *, at: datetime | None = None
) -> None:
    """Add the job to the session's own transaction. at: when it begins, at once if None."""
    connection = session.connection().connection.driver_connection
    name: str = function.job_name  # type: ignore[attr-defined]
    try:
        task = _outgoing.configure_task(name, allow_unknown=True, connection=connection, schedule_at=at)
        task.defer(**arguments)
    except procrastinate.exceptions.ConnectorException as error:
        # The database's own word says whether it is away; the library's hides it.
        raise error.__cause__ or error from error


@_application.periodic(cron="* * * * * */15")
@_application.task(name="kernel:jobs:sweep", retry=RETRY, pass_context=True)
async def sweep_stalled(context: procrastinate.JobContext, timestamp: int) -> None:
    """Give the jobs of a worker that died back to the living ones."""
    manager = context.app.job_manager
    for stalled in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        log.warning("stalled job given back", job=stalled.id, task=stalled.task_name)
        await manager.retry_job(stalled)


def run_worker(app: Flask, *, until_empty: bool = False) -> None:
    """Run jobs until told to stop, or until none waits."""
    settings = SETTINGS.of(app)
    dsn = settings.database_url.replace("postgresql+psycopg://", "postgresql://")
    connector = procrastinate.PsycopgConnector(conninfo=dsn, min_size=1, max_size=CONCURRENCY + 2)
    with _application.replace_connector(connector) as connected:
        connected.run_worker(
            concurrency=CONCURRENCY,
            wait=not until_empty,
            install_signal_handlers=not until_empty,
            delete_jobs="successful",
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_AFTER_SECONDS,
        )


def install_jobs(app: Flask) -> None:
    """Jobs of this process run in this application."""
    _flask[:] = [app]
