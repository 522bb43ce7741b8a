"""procrastinate's worker, which besides shows that it works on the jobs it holds, and goes by no clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import procrastinate
import structlog
from procrastinate.periodic import PeriodicDeferrer, TaskAtTime
from procrastinate.worker import Worker

from kernel.jobs.loops import kept_running

LOOKS_EVERY_SECONDS = 10.0
TRIES_AGAIN_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
"""A worker without a heartbeat for half a minute loses its jobs, so it does not pause for that long."""
WAITS_TWICE_AS_LONG = 2
"""The pause before a try, in seconds, is this to the power of how many there were."""

GIVE_BACK = "SELECT procrastinate_retry_job_v2(%(job_id)s, now(), NULL, NULL, NULL)"
BRING_FORWARD = """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE status = 'todo' AND attempts > 0
      AND scheduled_at > now() + make_interval(secs => 60 + power(%(base)s, LEAST(attempts, 30)))
    RETURNING id
"""
"""A retry that lies further ahead than its pause is long was put off by a wrong clock; a minute is no difference."""
PUT_OFF = """
    UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, scheduled_at = now() + interval '10 seconds'
    WHERE id = %(job_id)s AND status = 'doing' AND EXISTS (
        SELECT FROM procrastinate_events
        WHERE job_id = %(job_id)s AND type = 'deferred' AND at > now() - interval '1 day'
    )
    RETURNING id
"""
"""A job of a release that is newer than its worker waits for another worker; one that none knows in a day fails."""
FORGET_FUTURE = "DELETE FROM procrastinate_periodic_defers WHERE defer_timestamp > 60 + extract(epoch FROM now())"
"""SQL that has what was started for a later time start again when that comes."""

log = structlog.get_logger(__name__)


class JobApp(procrastinate.App):
    """Jobs that are run by this worker."""

    def _worker(self, **options: Any) -> Worker:
        return JobWorker(self, **{**self.worker_defaults, **options})


class JobWorker(Worker):
    """A worker that looks after the queue between its jobs, and stays while the database is away.

    procrastinate's own ends by itself then, as if it had been told to stop.
    """

    def _start_side_tasks(self) -> list[asyncio.Task[Any]]:
        works = {
            "update_heartbeats": self._update_heartbeat,
            "deferrer": self._periodic_deferrer,
            "poll_jobs_to_abort": self._poll_jobs_to_abort,
            "listener": self._listen,
            "look_after_queue": self._look_after_queue,
        }
        return [asyncio.create_task(_kept_running(name, work), name=name) for name, work in works.items()]

    async def _fetch_and_process_jobs(self) -> None:
        try:
            await super()._fetch_and_process_jobs()  # type: ignore[no-untyped-call]
        except procrastinate.exceptions.ConnectorException as error:
            if not self.wait:
                raise
            log.warning("no job could be fetched", cause=type(error.__cause__ or error).__name__)

    async def _process_job(self, context: procrastinate.JobContext) -> None:
        if context.job.task_name not in self.app.tasks and await self._put_off(context.job):
            return
        await super()._process_job(context)

    async def _put_off(self, job: procrastinate.jobs.Job) -> bool:
        """Let a job wait for a worker that knows it: during an upgrade the workers of two releases run side by side."""
        put_off = await self.app.connector.execute_query_all_async(PUT_OFF, job_id=job.id)
        log.warning("a job that this release does not know", job=job.id, task=job.task_name, is_put_off=bool(put_off))
        return bool(put_off)

    async def _listen(self) -> None:
        await self.app.job_manager.listen_for_jobs(on_notification=self._handle_notification, queues=self.queues)

    async def _periodic_deferrer(self) -> None:
        await _Deferrer(registry=self.app.periodic_registry, **self.app.periodic_defaults).worker()

    async def _look_after_queue(self) -> None:
        query = self.app.connector.execute_query_all_async
        idle: set[int] = set()
        while True:
            await asyncio.sleep(LOOKS_EVERY_SECONDS)
            idle = await self._give_back(idle)
            if forward := await query(BRING_FORWARD, base=WAITS_TWICE_AS_LONG):
                log.warning("jobs brought forward", jobs=[row["id"] for row in forward])
            await self.app.connector.execute_query_async(FORGET_FUTURE)

    async def _give_back(self, idle_before: set[int]) -> set[int]:
        """Give back the jobs that are marked as this worker's and that it does not work on; those that may be.

        Where a connection is cut while a job is taken or its end is written down, the job stays marked. One that is
        being taken or ended at this moment looks the same, so only what was found twice in a row is given back.
        """
        marked = await self.app.job_manager.list_jobs_async(status="doing", worker_id=self.worker_id)
        at_work = {context.job.id for context in self._running_jobs.values()}
        idle = {job.id: job.task_name for job in marked if job.id is not None and job.id not in at_work}
        for job_id in idle.keys() & idle_before:
            log.warning("job given back", job=job_id, task=idle[job_id])
            await self.app.connector.execute_query_async(GIVE_BACK, job_id=job_id)
        return idle.keys() - idle_before


def _kept_running(name: str, work: Callable[[], Awaitable[None]]) -> Coroutine[Any, Any, None]:
    """Do a part of the worker's work, anew where the database went away meanwhile."""
    outage = procrastinate.exceptions.ConnectorException
    return kept_running(f"worker:{name}", work, outage, TRIES_AGAIN_SECONDS, LONGEST_PAUSE_SECONDS)


class _Deferrer(PeriodicDeferrer):
    """Starts jobs by the clock, also after the clock was set: back, or so far ahead that all in between would start."""

    def get_previous_tasks(self, at: float) -> Iterable[TaskAtTime]:
        self.last_defers = {
            task: started for task, started in self.last_defers.items() if at - self.max_delay <= started <= at
        }
        return super().get_previous_tasks(at)
